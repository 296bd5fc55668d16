/* The other end of -fsanitize-coverage=trace-pc: the compiler puts a call to this function into every block of our
 * code, and the fuzz driver looks at which cells a run has touched. */
#include "fuzz.h"

uint64_t fuzz_cells[FUZZ_CELLS / 8];

void __sanitizer_cov_trace_pc(void);
void __sanitizer_cov_trace_pc(void)
{
    uintptr_t pc = (uintptr_t)__builtin_return_address(0);
    ((uint8_t *)fuzz_cells)[(pc ^ (pc >> 13)) % FUZZ_CELLS] = 1;
}
