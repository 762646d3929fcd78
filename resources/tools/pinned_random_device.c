/* A fixed sequence instead of std::random_device, for programs that are preloaded with this library.
 *
 * Salmon seeds its generators from std::random_device and from nothing else, so with one thread its results
 * repeat bit for bit once this source of entropy does. Any program linked dynamically against libstdc++ asks
 * for its entropy through the symbol below.
 *
 * The first call creates the file named by REFINEBIO_PINNED_RANDOM_DEVICE: proof that the library took effect.
 */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

static _Atomic uint32_t calls;

static void leave_proof(void) {
    const char *path = getenv("REFINEBIO_PINNED_RANDOM_DEVICE");
    if (path == NULL) {
        return;
    }
    int file = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (file >= 0) {
        close(file);
    }
}

/* unsigned int std::random_device::_M_getval() */
unsigned int _ZNSt13random_device9_M_getvalEv(void *self) {
    (void)self;
    uint32_t call = atomic_fetch_add(&calls, 1);
    if (call == 0) {
        leave_proof();
    }
    /* The finaliser of MurmurHash3 (public domain, Austin Appleby) spreads the counter over all 32 bits. */
    uint32_t value = call + 0x9e3779b9u;
    value ^= value >> 16;
    value *= 0x85ebca6bu;
    value ^= value >> 13;
    value *= 0xc2b2ae35u;
    value ^= value >> 16;
    return value;
}
