/* SPDX-License-Identifier: Apache-2.0 */
/* Writes on from a text: generate MODEL.gguf "In the beginning" */
#include <bitfetch/bitfetch.h>
#include <stdio.h>
#include <string.h>

static int show(const char* text, size_t bytes, void* user) {
  (void)user;
  fwrite(text, 1, bytes, stdout);
  fflush(stdout);
  return 1; /* go on */
}

int main(int argc, char** argv) {
  if (argc != 3) {
    fprintf(stderr, "usage: %s MODEL.gguf PROMPT\n", argv[0]);
    return 2;
  }
  bitfetch_session* session = NULL;
  bitfetch_status status = bitfetch_session_open(argv[1], NULL, &session);
  if (status == BITFETCH_OK) {
    bitfetch_sampling sampling = bitfetch_default_sampling();
    sampling.max_tokens = 32;
    sampling.seed = 7;
    status = bitfetch_generate(session, argv[2], strlen(argv[2]), &sampling, show, NULL);
    printf("\n");
  }
  if (status != BITFETCH_OK) fprintf(stderr, "error: %s\n", bitfetch_last_error());
  bitfetch_session_close(session);
  return status == BITFETCH_OK ? 0 : 1;
}
