// Swift cannot ask for a cache line ahead of its use.
#ifndef CPREFETCH_H
#define CPREFETCH_H

/// Has the processor fetch the cache line of an address, and goes on. Any address will do.
static inline void cprefetch(const void *address) { __builtin_prefetch(address); }

#endif
