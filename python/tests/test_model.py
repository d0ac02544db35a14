# SPDX-License-Identifier: Apache-2.0
import pathlib
import re
import tempfile
import unittest

import numpy as np

import bitfetch
from bitfetch import _library, _version
from bitfetch._errors import error_of
from tests.support import MODEL, ROOT, ModelTest, run_python


class LibraryTest(unittest.TestCase):
    def test_the_module_has_the_version_of_the_library_and_of_the_build(self):
        project = re.search(r"project\(bitfetch VERSION (\S+)", (ROOT / "CMakeLists.txt").read_text())
        self.assertEqual(_version.VERSION, project.group(1))
        self.assertEqual(bitfetch.__version__, project.group(1))
        self.assertRegex(bitfetch.isa(), "^[a-z]")

    def test_structs_are_those_of_the_header(self):
        """Their fields have the header's names, in its order, and struct_size says that no version lacks any."""
        header = (ROOT / "include/bitfetch/bitfetch.h").read_text()
        header = re.sub(r"/\*.*?\*/", "", header, flags=re.DOTALL)
        kinds = {"size_t": _library.c_size_t, "int": _library.c_int, "int64_t": _library.c_int64,
                 "uint64_t": _library.c_uint64, "double": _library.c_double, "const char*": _library.c_char_p,
                 "bitfetch_status": _library.c_int}
        for struct, name in [(_library.ModelOptions, "model_options"), (_library.Sampling, "sampling"),
                             (_library.Piece, "piece")]:
            body = re.search(r"typedef struct bitfetch_%s \{(.*?)\}" % name, header, re.DOTALL).group(1)
            fields = re.findall(r"^\s*(\S.*?) (\w+);", body, re.MULTILINE)
            self.assertEqual(struct._fields_, [(field, kinds.get(kind, _library.c_void_p)) for kind, field in fields])

    def test_functions_have_as_many_arguments_as_in_the_header(self):
        header = (ROOT / "include/bitfetch/bitfetch.h").read_text()
        for name, (_, *arguments) in _library._FUNCTIONS.items():
            parameters = re.search(r"BITFETCH_API [^;(]*\bbitfetch_%s\(([^)]*)\)" % name, header).group(1)
            self.assertEqual(len(arguments), 0 if parameters == "void" else parameters.count(",") + 1, name)

    def test_a_library_that_is_not_there_is_an_import_error(self):
        script = ("import os; os.environ['BITFETCH_LIBRARY'] = '/none.so'\n"
                  "try:\n  import bitfetch\nexcept ImportError as error:\n  print(error)")
        self.assertRegex(run_python(script), "^/none.so: cannot open.*BITFETCH_LIBRARY may name libbitfetch.so.0")

    def test_a_library_beside_the_package_comes_before_the_systems(self):
        with tempfile.TemporaryDirectory() as folder:
            package = pathlib.Path(folder, "bitfetch")
            package.mkdir()
            for source in (ROOT / "python/bitfetch").glob("*.py"):
                (package / source.name).write_bytes(source.read_bytes())
            (package / _library.SONAME).symlink_to(_library.lib._name)
            script = ("import os, sys; os.environ.pop('BITFETCH_LIBRARY', None); sys.path.insert(0, sys.argv[1])\n"
                      "import bitfetch; print(bitfetch._lib._name)")
            self.assertEqual(run_python(script, folder).strip(), str(package / _library.SONAME))


class OptionsTest(unittest.TestCase):
    def test_options_reach_the_library(self):
        with bitfetch.Model(str(MODEL), threads=1, context=64, kv_tokens=128, kv_type="q8_0", pages="4k", prefetch="4096",
                            prefetch_ahead=False, mmap=False) as model:
            self.assertEqual(model.context, 64)
            self.assertEqual(model.vocab, 2048)
        with tempfile.TemporaryDirectory() as folder:
            kv = pathlib.Path(folder) / "kv"
            with bitfetch.Model(MODEL, cache_dir=kv, cache_disk=10**6) as model, model.sequence() as sequence:
                sequence.append(range(40))
            self.assertEqual(len(list(kv.glob("*.kv"))), 2)

    def test_options_that_are_not_possible_are_errors_that_name_them(self):
        for option, value, kind in [("threads", -1, bitfetch.InvalidArgument), ("threads", 2**32, ValueError),
                                    ("threads", "two", TypeError), ("context", -1, bitfetch.InvalidArgument),
                                    ("kv_type", "f17", bitfetch.InvalidArgument), ("kv_type", 5, TypeError),
                                    ("pages", "huge\0", ValueError), ("kv_tokens", -1, bitfetch.InvalidArgument),
                                    ("cache_disk", -1, bitfetch.InvalidArgument),
                                    ("prefetch", "often", bitfetch.InvalidArgument)]:
            with self.subTest(option=option, value=value), self.assertRaisesRegex(kind, option):
                bitfetch.Model(MODEL, **{option: value})

    def test_a_file_that_is_not_there_is_an_error_with_its_name(self):
        with self.assertRaisesRegex(bitfetch.Error, r"^/none\.gguf: No such file"):
            bitfetch.Model("/none.gguf")
        with self.assertRaisesRegex(ValueError, "path"):
            bitfetch.Model(f"{MODEL}\0")


class TokensTest(ModelTest):
    def test_any_text_survives_a_round_trip(self):
        for text in ["", "And God said", "naïve 文 🙂", "a\0b", "<|end_of_text|>", "x" * 1000]:
            self.assertEqual(self.model.detokenize(self.model.tokenize(text)), text)

    def test_control_tokens_are_read_where_that_is_asked_for(self):
        *text, end = self.model.tokenize("And God said<|end_of_text|>", first=False, special=True)
        self.assertEqual(text, self.model.tokenize("And God said", first=False))
        self.assertEqual(self.model.tokenize("And God said")[1:], text)
        self.assertTrue(self.model.is_stop(end))
        self.assertFalse(self.model.is_stop(text[0]))
        self.assertEqual(self.model.token_bytes(end), b"")

    def test_a_token_may_be_a_part_of_a_character(self):
        tokens = self.model.tokenize("🙂", first=False)
        self.assertEqual(b"".join(map(self.model.token_bytes, tokens)), "🙂".encode())
        self.assertEqual(self.model.detokenize(tokens[:1]), "\ufffd")
        self.assertEqual(self.model.detokenize(np.array(tokens, np.uint16)), "🙂")

    def test_tokens_that_are_none_are_errors(self):
        for tokens, kind in [([2048], bitfetch.InvalidArgument), ([-1], bitfetch.InvalidArgument), ([2**32], ValueError),
                             ([2**70], TypeError), ([1.0], TypeError), ([[1]], TypeError), ("a", TypeError)]:
            with self.subTest(tokens=tokens), self.assertRaises(kind):
                self.model.detokenize(tokens)
        with self.assertRaisesRegex(bitfetch.InvalidArgument, "token 2048 is out of range"):
            self.model.token_bytes(2048)
        with self.assertRaisesRegex(ValueError, "token"):
            self.model.token_bytes(2**32)


class ErrorsTest(unittest.TestCase):
    def test_errors_are_of_a_kind_that_python_knows(self):
        for status, kinds in {1: (bitfetch.InvalidArgument, ValueError), 2: (bitfetch.Error,), 4: (bitfetch.Error,),
                              3: (bitfetch.OutOfMemory, MemoryError), 5: (bitfetch.ContextFull,)}.items():
            error = error_of(status, b"the message")
            self.assertEqual((type(error), str(error)), (kinds[0], "the message"))
            for kind in kinds:
                self.assertIsInstance(error, kind)
