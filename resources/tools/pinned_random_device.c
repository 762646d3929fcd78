/* Fixed sequences instead of the system's entropy, for programs that are preloaded with this library.
 *
 * Salmon has two sources of randomness. Its quantification seeds generators from std::random_device: any program
 * that is linked dynamically against libstdc++ asks for that through the symbol below. Its indexer (TwoPaCo, by way
 * of the Mersenne Twister of R. Wagner) reads /dev/urandom with fopen to choose hash functions, and they decide in
 * which order the unitigs of the index are numbered. With one thread both repeat bit for bit once these sources do.
 *
 * The first use creates the file named by REFINEBIO_PINNED_RANDOM_DEVICE: proof that the library took effect.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static _Atomic uint32_t calls;
static _Atomic uint32_t streams;

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

/* The finaliser of MurmurHash3 (public domain, Austin Appleby) spreads a counter over all 32 bits. */
static uint32_t spread(uint32_t counter) {
    uint32_t value = counter + 0x9e3779b9u;
    value ^= value >> 16;
    value *= 0x85ebca6bu;
    value ^= value >> 13;
    value *= 0xc2b2ae35u;
    value ^= value >> 16;
    return value;
}

/* unsigned int std::random_device::_M_getval() */
unsigned int _ZNSt13random_device9_M_getvalEv(void *self) {
    (void)self;
    uint32_t call = atomic_fetch_add(&calls, 1);
    if (call == 0) {
        leave_proof();
    }
    return spread(call);
}

struct stream {
    uint32_t start;
    uint32_t position;
};

static ssize_t read_stream(void *cookie, char *buffer, size_t size) {
    struct stream *stream = cookie;
    for (size_t at = 0; at < size; at++) {
        buffer[at] = (char)(spread(stream->start + stream->position++) >> 24);
    }
    return (ssize_t)size;
}

static int close_stream(void *cookie) {
    free(cookie);
    return 0;
}

/* Each stream is another one: generators that are seeded one after the other must not be alike. */
static FILE *open_stream(void) {
    struct stream *stream = malloc(sizeof *stream);
    if (stream == NULL) {
        return NULL;
    }
    leave_proof();
    stream->start = spread(~atomic_fetch_add(&streams, 1));
    stream->position = 0;
    cookie_io_functions_t functions = {.read = read_stream, .close = close_stream};
    return fopencookie(stream, "rb", functions);
}

typedef FILE *(*opener)(const char *, const char *);

static FILE *open_other(const char *name, const char *path, const char *mode) {
    opener next;
    *(void **)&next = dlsym(RTLD_NEXT, name);
    return next(path, mode);
}

FILE *fopen(const char *path, const char *mode) {
    return strcmp(path, "/dev/urandom") == 0 ? open_stream() : open_other("fopen", path, mode);
}

FILE *fopen64(const char *path, const char *mode) {
    return strcmp(path, "/dev/urandom") == 0 ? open_stream() : open_other("fopen64", path, mode);
}
