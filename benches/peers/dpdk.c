/* Looks streams of addresses up with DPDK's forwarding tables, beside nexthop.
 *
 *     dpdk ENGINE ROUTES STREAM...      ENGINE is fib1, fib2, lpm or fib6
 *
 * Builds the table, prints "built SECONDS", and then for each line on standard input, the number of
 * a stream, prints a checksum and the seconds of each chunk of 65,536 lookups. The checksum is of a
 * pass of its own, outside the clock.
 *
 * ROUTES holds records in the machine's byte order: for IPv4 a u32 address, u16 length and u16 next
 * hop; for IPv6 16 bytes of address as on the wire, u16 length, u16 next hop. A STREAM holds u32
 * addresses (IPv4) or 16 bytes each (IPv6).
 *
 * Tables get transparent huge pages, as those of nexthop do.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include <rte_eal.h>
#include <rte_errno.h>
#include <rte_fib.h>
#include <rte_fib6.h>
#include <rte_lpm.h>
#include <rte_memory.h>

#define BURST 256
#define CHUNK 65536

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

/* The thread's own time: what others on the machine take is theirs. */
static double now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return time.tv_sec + time.tv_nsec * 1e-9;
}

static void fail(const char *what)
{
    fprintf(stderr, "dpdk: %s: %s\n", what, rte_strerror(rte_errno));
    exit(1);
}

/* Without huge pages DPDK wants its memory from a file in memory, which gets no transparent ones;
 * where there is no such file it takes what malloc would. */
int memfd_create(const char *name, unsigned int flags)
{
    (void)name; (void)flags;
    errno = ENOSYS;
    return -1;
}

static int advise(const struct rte_memseg_list *list, void *unused)
{
    (void)unused;
    madvise(list->base_va, list->len, MADV_HUGEPAGE);
    return 0;
}

static struct rte_fib *fib;
static struct rte_fib6 *fib6;
static struct rte_lpm *lpm;

static void build_fib(struct bytes routes, enum rte_fib_dir24_8_nh_sz size)
{
    struct rte_fib_conf conf = { .type = RTE_FIB_DIR24_8, .default_nh = 0, .max_routes = 2000000 };
    conf.dir24_8.nh_sz = size;
    conf.dir24_8.num_tbl8 = size == RTE_FIB_DIR24_8_1B ? 127 : 32767;
    fib = rte_fib_create("fib", SOCKET_ID_ANY, &conf);
    if (!fib) fail("rte_fib_create");
    for (size_t at = 0; at < routes.length; at += 8) {
        uint32_t address; uint16_t length, next_hop;
        memcpy(&address, routes.data + at, 4);
        memcpy(&length, routes.data + at + 4, 2);
        memcpy(&next_hop, routes.data + at + 6, 2);
        int error = rte_fib_add(fib, address, length, next_hop);
        if (error) { rte_errno = -error; fail("rte_fib_add"); }
    }
    if (rte_fib_select_lookup(fib, RTE_FIB_LOOKUP_DIR24_8_VECTOR_AVX512) && getenv("DPDK_AVX512"))
        fail("rte_fib_select_lookup");
}

static void build_lpm(struct bytes routes)
{
    struct rte_lpm_config conf = { .max_rules = 2000000, .number_tbl8s = 32767 };
    lpm = rte_lpm_create("lpm", SOCKET_ID_ANY, &conf);
    if (!lpm) fail("rte_lpm_create");
    for (size_t at = 0; at < routes.length; at += 8) {
        uint32_t address; uint16_t length, next_hop;
        memcpy(&address, routes.data + at, 4);
        memcpy(&length, routes.data + at + 4, 2);
        memcpy(&next_hop, routes.data + at + 6, 2);
        /* It knows no /0: two halves. */
        if (length == 0) {
            rte_lpm_add(lpm, 0, 1, next_hop);
            rte_lpm_add(lpm, 1u << 31, 1, next_hop);
            continue;
        }
        int error = rte_lpm_add(lpm, address, length, next_hop);
        if (error) { rte_errno = -error; fail("rte_lpm_add"); }
    }
}

static void build_fib6(struct bytes routes)
{
    struct rte_fib6_conf conf = { .type = RTE_FIB6_TRIE, .default_nh = 0, .max_routes = 400000 };
    conf.trie.nh_sz = RTE_FIB6_TRIE_4B;
    conf.trie.num_tbl8 = 300000;
    fib6 = rte_fib6_create("fib6", SOCKET_ID_ANY, &conf);
    if (!fib6) fail("rte_fib6_create");
    for (size_t at = 0; at < routes.length; at += 20) {
        uint16_t length, next_hop;
        memcpy(&length, routes.data + at + 16, 2);
        memcpy(&next_hop, routes.data + at + 18, 2);
        int error = rte_fib6_add(fib6, routes.data + at, length, next_hop);
        if (error) { rte_errno = -error; fail("rte_fib6_add"); }
    }
    if (rte_fib6_select_lookup(fib6, RTE_FIB6_LOOKUP_TRIE_VECTOR_AVX512) && getenv("DPDK_AVX512"))
        fail("rte_fib6_select_lookup");
}

static uint64_t next_hops[BURST];
static uint32_t lpm_next_hops[BURST];

static size_t address_bytes(void) { return fib6 ? 16 : 4; }

static size_t look_up(struct bytes stream, size_t at)
{
    size_t count = (stream.length - at) / address_bytes();
    if (count > BURST) count = BURST;
    if (fib)
        rte_fib_lookup_bulk(fib, (uint32_t *)(stream.data + at), next_hops, count);
    else if (fib6)
        rte_fib6_lookup_bulk(fib6, (uint8_t (*)[16])(stream.data + at), next_hops, count);
    else
        rte_lpm_lookup_bulk(lpm, (uint32_t *)(stream.data + at), lpm_next_hops, count);
    return count;
}

static uint64_t checksum(struct bytes stream)
{
    uint64_t sum = 0, place = 1;
    for (size_t at = 0; at < stream.length;) {
        size_t count = look_up(stream, at);
        for (size_t i = 0; i < count; i++, place++) {
            uint64_t next_hop = next_hops[i];
            if (lpm)
                next_hop = lpm_next_hops[i] & RTE_LPM_LOOKUP_SUCCESS ? lpm_next_hops[i] & 0xffffff : 0;
            sum += place * next_hop;
        }
        at += count * address_bytes();
    }
    return sum;
}

int main(int argc, char **argv)
{
    char lcores[16];
    snprintf(lcores, sizeof lcores, "0@%d", sched_getcpu());
    char *eal[] = { "dpdk", "--no-huge", "--no-shconf", "-m", "3072", "--no-pci", "--lcores", lcores,
        "--no-telemetry", "--force-max-simd-bitwidth=512", "--log-level=critical", NULL };
    if (argc < 4) return 2;
    if (rte_eal_init(sizeof eal / sizeof *eal - 1, eal) < 0) fail("rte_eal_init");
    rte_memseg_list_walk(advise, NULL);

    struct bytes routes = read_file(argv[2]);
    double begun = now();
    if (!strcmp(argv[1], "fib1")) build_fib(routes, RTE_FIB_DIR24_8_1B);
    else if (!strcmp(argv[1], "fib2")) build_fib(routes, RTE_FIB_DIR24_8_2B);
    else if (!strcmp(argv[1], "lpm")) build_lpm(routes);
    else if (!strcmp(argv[1], "fib6")) build_fib6(routes);
    else return 2;
    printf("built %f\n", now() - begun);
    fflush(stdout);

    struct bytes streams[16];
    for (int i = 3; i < argc && i < 19; i++) streams[i - 3] = read_file(argv[i]);
    for (int number; scanf("%d", &number) == 1;) {
        struct bytes stream = streams[number];
        uint64_t sum = checksum(stream);
        printf("%lu", sum);
        for (size_t at = 0; at < stream.length;) {
            size_t end = at + CHUNK * address_bytes();
            begun = now();
            while (at < end && at < stream.length) at += look_up(stream, at) * address_bytes();
            printf(" %.9f", now() - begun);
        }
        putchar('\n');
        fflush(stdout);
    }
    return 0;
}
