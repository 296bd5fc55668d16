/* What a fuzz target and the driver share. A target is fuzz/fuzz_<reader>.c with LLVMFuzzerTestOneInput (libFuzzer's
 * entry point, so a target works there too); its seeds lie in fuzz/corpus/<reader>/. */
#ifndef MDM_FUZZ_FUZZ_H
#define MDM_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Runs the reader once over `size` bytes at `data`. Returns 0; anything wrong is for the sanitizers to see. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Writes the bytes to a file whose name ends in `name` (for example "x.json"), for readers that take a path.
 * The same file is written over by the next call; it goes away with the process. Returns its path. */
const char *fuzz_file(const uint8_t *data, size_t size, const char *name);

/* Coverage of the run in progress (coverage.c): a byte for each place in the code, 1 once it was reached; eight to a
 * word so that the driver compares them quickly. */
enum { FUZZ_CELLS = 1 << 15 };
extern uint64_t fuzz_cells[FUZZ_CELLS / 8];

#endif
