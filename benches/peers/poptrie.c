/* Looks streams of addresses up with the poptrie of the paper's authors, beside nexthop.
 *
 *     poptrie ROUTES STREAM...
 *
 * Speaks as dpdk.c does. Their licence allows evaluation only: run.sh builds this against a copy
 * that you fetched yourself, where POPTRIE_DIR names it.
 */
#define _GNU_SOURCE
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "poptrie.h"

struct bytes { uint8_t *data; size_t length; };

static struct bytes read_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file) { perror(path); exit(2); }
    fseek(file, 0, SEEK_END);
    struct bytes bytes = { NULL, (size_t)ftell(file) };
    rewind(file);
    bytes.data = aligned_alloc(2 << 20, (bytes.length + (2 << 20)) & ~(size_t)((2 << 20) - 1));
    madvise(bytes.data, bytes.length, MADV_HUGEPAGE);
    if (fread(bytes.data, 1, bytes.length, file) != bytes.length) { perror(path); exit(2); }
    fclose(file);
    return bytes;
}

static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return time.tv_sec + time.tv_nsec * 1e-9;
}

static struct poptrie *trie;
static uint16_t next_hops[256];

static size_t look_up(const struct bytes *stream, size_t at)
{
    size_t count = stream->length / 4 - at;
    if (count > 256) count = 256;
    const uint32_t *addresses = (const uint32_t *)stream->data + at;
    for (size_t i = 0; i < count; i++)
        next_hops[i] = (uint16_t)(uintptr_t)poptrie_lookup(trie, addresses[i]);
    __asm__ volatile("" ::: "memory");
    return count;
}

/* It allocates with malloc: large blocks are given huge pages before they are touched. */
void *malloc(size_t size)
{
    extern void *__libc_malloc(size_t), *__libc_memalign(size_t, size_t);
    if (size < 2 << 20) return __libc_malloc(size);
    void *block = __libc_memalign(2 << 20, size);
    if (block) madvise(block, size, MADV_HUGEPAGE);
    return block;
}

int main(int argc, char **argv)
{
    if (argc < 3) return 2;
    struct bytes routes = read_file(argv[1]);
    double begun = now();
    trie = poptrie_init(NULL, 19, 22);
    if (!trie) return 1;
    for (size_t at = 0; at < routes.length; at += 8) {
        uint32_t address; uint16_t length, next_hop;
        memcpy(&address, routes.data + at, 4);
        memcpy(&length, routes.data + at + 4, 2);
        memcpy(&next_hop, routes.data + at + 6, 2);
        if (poptrie_route_add(trie, address, length, (void *)(uintptr_t)next_hop) < 0) return 1;
    }
    printf("built %f\n", now() - begun);
    fflush(stdout);
    struct bytes streams[16];
    for (int i = 2; i < argc && i < 18; i++) streams[i - 2] = read_file(argv[i]);
    for (int number; scanf("%d", &number) == 1;) {
        const struct bytes *stream = &streams[number];
        uint64_t sum = 0, place = 1;
        for (size_t at = 0, count; at < stream->length / 4; at += count) {
            count = look_up(stream, at);
            for (size_t i = 0; i < count; i++) sum += place++ * next_hops[i];
        }
        printf("%lu", sum);
        for (size_t at = 0; at < stream->length / 4;) {
            size_t end = at + 65536;
            begun = now();
            while (at < end && at < stream->length / 4) at += look_up(stream, at);
            printf(" %.9f", now() - begun);
        }
        putchar('\n');
        fflush(stdout);
    }
    return 0;
}
