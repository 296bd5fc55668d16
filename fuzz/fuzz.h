/* What a fuzz target and the driver share. A target is fuzz/fuzz_<reader>.c with LLVMFuzzerTestOneInput (libFuzzer's
 * entry point, so a target works there too); its seeds lie in fuzz/corpus/<reader>/. */
#ifndef MDM_FUZZ_FUZZ_H
#define MDM_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Runs the reader once over `size` bytes at `data`. Returns 0; anything wrong is for the sanitizers to see. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Writes the bytes to the file `name` (for example "x.json"; at most four names) of a folder that goes away with the
 * process, for readers that take a path. Returns the file's path; fuzz_folder the folder's, once there is a file. */
const char *fuzz_file(const uint8_t *data, size_t size, const char *name);
const char *fuzz_folder(void);

/* Coverage of the run in progress (coverage.c): a byte for each place in the code, 1 once it was reached; eight to a
 * word so that the driver compares them quickly. */
enum { FUZZ_CELLS = 1 << 15 };
extern uint64_t fuzz_cells[FUZZ_CELLS / 8];

#endif
