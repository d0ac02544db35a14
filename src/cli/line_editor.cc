// SPDX-License-Identifier: Apache-2.0
#include "cli/line_editor.h"

#include <fmt/format.h>
#include <histedit.h>
#include <langinfo.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <clocale>
#include <cstdio>
#include <cwchar>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/utf8.h"
#include "cli/history_file.h"
#include "cli/interrupt.h"
#include "cli/key_sequence.h"
#include "cli/terminal.h"
#include "cli/text_options.h"

namespace bitfetch {
namespace {

constexpr wchar_t kReplacement = 0xfffd;
constexpr std::string_view kPaste = "\x1b[200~";
constexpr std::wstring_view kPasteEnd = L"\x1b[201~";

// What keys send, behind ESC, and what they do. Other sequences do nothing.
struct Key {
  const wchar_t* command;
  std::array<std::string_view, 7> sequences;
};
constexpr Key kKeys[] = {
    {L"ed-prev-history", {"[A", "OA"}},
    {L"ed-next-history", {"[B", "OB"}},
    {L"ed-next-char", {"[C", "OC"}},
    {L"ed-prev-char", {"[D", "OD"}},
    {L"em-next-word", {"[1;5C", "[1;3C", "[5C", "[3C", "Oc", "\x1b[C", "\x1bOC"}},
    {L"ed-prev-word", {"[1;5D", "[1;3D", "[5D", "[3D", "Od", "\x1b[D", "\x1bOD"}},
    {L"ed-move-to-beg", {"[H", "OH", "[1~", "[7~"}},
    {L"ed-move-to-end", {"[F", "OF", "[4~", "[8~"}},
    {L"ed-delete-next-char", {"[3~"}},
};

// `sequence` with its ESC.
bool IsKnown(std::string_view sequence) {
  return sequence == kPaste || std::ranges::any_of(kKeys, [&](const Key& key) {
           return std::ranges::find(key.sequences, sequence.substr(1)) != key.sequences.end();
         });
}

// libedit and the functions for wide characters go by the locale. Where that has no UTF-8 (LANG=C),
// text is UTF-8 all the same.
void SetUtf8Locale() {
  if (!setlocale(LC_CTYPE, "") || std::string_view(nl_langinfo(CODESET)) != "UTF-8") {
    setlocale(LC_CTYPE, "C.UTF-8");
  }
}

// `text` is UTF-8.
std::wstring Wide(const std::string& text) {
  std::wstring wide(text.size(), L'\0');
  wide.resize(std::mbstowcs(wide.data(), text.c_str(), wide.size()));
  return wide;
}

std::string Narrow(std::wstring_view wide) {
  std::string text;
  std::mbstate_t state = {};
  for (const wchar_t c : wide) {
    char bytes[MB_LEN_MAX];
    text.append(bytes, std::wcrtomb(bytes, c, &state));
  }
  return text;
}

// Whether the terminal is known, and more than paper.
bool MovesUp(EditLine* editor) {
  char* up = nullptr;
  return el_get(editor, EL_GETTC, "up", &up) == 0 && up != nullptr && up[0] != '\0';
}

void BindKeys(EditLine* editor) {
  el_wset(editor, EL_BIND, L"\t", L"ed-insert", nullptr);
  for (const Key& key : kKeys) {
    for (const std::string_view sequence : key.sequences) {
      if (sequence.empty()) break;
      el_wset(editor, EL_BIND, Wide(fmt::format("\x1b{}", sequence)).c_str(), key.command, nullptr);
    }
  }
}

}  // namespace

struct LineEditor::State {
  EditLine* editor = nullptr;
  FILE* screen = nullptr;
  HistoryFile history;
  std::wstring prompt;
  std::string typed;     // bytes that are no character of the line yet
  size_t passing = 0;    // of those, what is left of a key's sequence for libedit to read
  bool pasting = false;  // what is pasted has no keys
  size_t replaced = 0;   // pieces of the line that were not UTF-8
  LineReader::Outcome outcome = LineReader::Outcome::kLine;
  int error = 0;  // of read()

  static State& Of(EditLine* editor) {
    void* state = nullptr;
    el_wget(editor, EL_CLIENTDATA, &state);
    return *static_cast<State*>(state);
  }

  static wchar_t* Prompt(EditLine* editor) { return Of(editor).prompt.data(); }

  // The next key into `*key`; 1, or -1 when there is none. The sequences of unknown keys are left
  // out: libedit would take all but their beginnings for text.
  static int ReadKey(EditLine* editor, wchar_t* key);
  bool HasKey();  // in `typed`

  // What libedit calls for the mark before a paste.
  static unsigned char OnPaste(EditLine* editor, wint_t);
};

bool LineEditor::State::HasKey() {
  while (passing == 0 && !pasting) {
    const KeySequence sequence = NextKeySequence(typed);
    if (sequence.kind == KeySequence::Kind::kUnfinished) return false;
    if (sequence.kind == KeySequence::Kind::kNone) break;
    if (IsKnown(std::string_view(typed).substr(0, sequence.size))) {
      passing = sequence.size;
    } else {
      typed.erase(0, sequence.size);
    }
  }
  return !typed.empty() && NextUtf8(typed).kind != Utf8Step::kUnfinished;
}

int LineEditor::State::ReadKey(EditLine* editor, wchar_t* key) {
  State& state = Of(editor);
  while (!state.HasKey()) {
    const auto on_signal = [editor] {
      if (!TerminalChanged()) return;
      el_resize(editor);
      el_wset(editor, EL_REFRESH);
    };
    if (!WaitForInput(STDIN_FILENO, on_signal)) {
      state.outcome = LineReader::Outcome::kInterrupted;
      return -1;
    }
    char piece[4096];
    const ssize_t got = read(STDIN_FILENO, piece, sizeof piece);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) {
      state.outcome = LineReader::Outcome::kEnd;
      state.error = got < 0 ? errno : 0;
      return -1;
    }
    state.typed.append(piece, static_cast<size_t>(got));
  }
  const Utf8Step step = NextUtf8(state.typed);
  std::mbstate_t shift = {};
  if (step.kind == Utf8Step::kBroken) {
    *key = kReplacement;
    ++state.replaced;
  } else if (std::mbrtowc(key, state.typed.data(), step.size, &shift) > step.size) {
    *key = kReplacement;
  }
  state.typed.erase(0, step.size);
  state.passing -= std::min(state.passing, step.size);
  return 1;
}

unsigned char LineEditor::State::OnPaste(EditLine* editor, wint_t) {
  bool& pasting = Of(editor).pasting;
  std::wstring text;
  bool after_return = false;  // which terminals send for a line end
  for (pasting = true; !text.ends_with(kPasteEnd);) {
    wchar_t key;
    if (el_wgetc(editor, &key) != 1) return CC_EOF;
    if (key == L'\r') text += L'\n';
    if (key != L'\r' && key != L'\0' && !(key == L'\n' && after_return)) text += key;
    after_return = key == L'\r';
  }
  pasting = false;
  text.resize(text.size() - kPasteEnd.size());
  return el_winsertstr(editor, text.c_str()) == 0 || text.empty() ? CC_REFRESH : CC_ERROR;
}

std::unique_ptr<LineEditor> LineEditor::Create() {
  const std::optional<int> screen = TakeTerminal();
  if (!screen) return nullptr;
  SetUtf8Locale();
  auto state = std::make_unique<State>();
  state->screen = fdopen(*screen, "w");
  // libedit says in the middle of the screen that it does not know a terminal.
  FILE* nowhere = std::fopen("/dev/null", "w");
  state->editor = el_init("bitfetch", stdin, state->screen, nowhere ? nowhere : state->screen);
  EditLine* editor = state->editor;
  el_wset(editor, EL_SETFP, STDERR_FILENO, state->screen);
  if (nowhere) std::fclose(nowhere);
  if (MovesUp(editor)) MarkPastes();
  // As TakeTerminal() has it. Between lines (-x) libedit would let the terminal collect and echo
  // them again, and cut long ones; and a line end in a paste may be \r\n.
  el_wset(editor, EL_SETTY, L"-x", L"-icanon", L"-echo", L"-iexten", L"-icrnl", nullptr);
  el_wset(editor, EL_SETTY, L"-d", L"-icrnl", L"-inlcr", nullptr);
  el_wset(editor, EL_CLIENTDATA, state.get());
  el_wset(editor, EL_PROMPT, &State::Prompt);
  el_wset(editor, EL_GETCFN, &State::ReadKey);
  el_wset(editor, EL_HIST, &history_w, state->history.get());
  el_wset(editor, EL_EDITOR, L"emacs");
  BindKeys(editor);
  el_source(editor, nullptr);  // the user's own keys
  const wchar_t* keys = nullptr;
  el_wget(editor, EL_EDITOR, &keys);
  if (keys != nullptr && std::wstring_view(keys) == L"vi") BindKeys(editor);  // it forgot ours
  el_wset(editor, EL_ADDFN, L"paste", L"Takes a paste as it is", &State::OnPaste);
  el_wset(editor, EL_BIND, Wide(std::string(kPaste)).c_str(), L"paste", nullptr);
  return std::unique_ptr<LineEditor>(new LineEditor(std::move(state)));
}

LineEditor::LineEditor(std::unique_ptr<State> state) : state_(std::move(state)) {}

LineEditor::~LineEditor() {
  el_end(state_->editor);
  RestoreTerminal();
  std::fclose(state_->screen);
}

Result<LineReader::Outcome> LineEditor::Read(const std::string& prompt, std::string* line) {
  State& state = *state_;
  state.prompt = Wide(prompt);
  state.outcome = LineReader::Outcome::kLine;
  state.replaced = 0;
  state.pasting = false;
  int length = 0;
  const wchar_t* typed = el_wgets(state.editor, &length);
  if (state.error != 0) return Fail("stdin: {}", std::generic_category().message(state.error));
  if (state.outcome != LineReader::Outcome::kLine) {
    state.typed.clear();
    state.passing = 0;
    return state.outcome;
  }
  if (typed == nullptr) return LineReader::Outcome::kEnd;
  std::wstring_view text(typed, static_cast<size_t>(length));
  while (text.ends_with(L'\n')) text.remove_suffix(1);  // of the line, and of a paste
  *line = Narrow(text);
  WarnOfBrokenUtf8(state.replaced);
  return LineReader::Outcome::kLine;
}

void LineEditor::Remember(const std::string& text) { state_->history.Add(text, Wide(text)); }

}  // namespace bitfetch
