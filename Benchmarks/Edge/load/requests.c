/* Browser requests. Links come from a file, in its order, which the maker of the file shuffled;
 * user agents from 4,096 made here; addresses from 3.4 million, told by X-Forwarded-For as a proxy
 * would. One request in twenty is the one before it again, so a server that looks for duplicates
 * finds some; three agents in a hundred are machines. */
#include "load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { TEMPLATES = 4096, UUID_BYTES = 36, UUID_AT = 8, ADDRESS_BYTES = 15 };

static char templates[TEMPLATES][REQUEST_BYTES];
static size_t address_at;
static char *ids;
static size_t id_count, next_id;
static size_t last_id, last_template;
static char last_address[ADDRESS_BYTES];
static uint64_t state[2];

/* xorshift128+ */
uint64_t random_word(void) {
    uint64_t one = state[0], two = state[1];
    state[0] = two;
    one ^= one << 23;
    state[1] = one ^ two ^ (one >> 17) ^ (two >> 26);
    return state[1] + two;
}

static unsigned below(unsigned bound) { return (unsigned)((random_word() >> 33) % bound); }

static void seed_random(uint64_t seed) {
    for (int index = 0; index < 2; index++) {
        seed += 0x9E3779B97F4A7C15u; /* splitmix64 */
        uint64_t word = seed;
        word = (word ^ (word >> 30)) * 0xBF58476D1CE4E5B9u;
        word = (word ^ (word >> 27)) * 0x94D049BB133111EBu;
        state[index] = word ^ (word >> 31);
    }
}

static void read_ids(const char *path) {
    FILE *file = fopen(path, "re");
    if (!file || fseek(file, 0, SEEK_END)) fail("%s cannot be read", path);
    long bytes = ftell(file);
    rewind(file);
    if (bytes < UUID_BYTES + 1 || bytes % (UUID_BYTES + 1)) fail("%s is no list of UUIDs", path);
    ids = malloc((size_t)bytes);
    if (!ids || fread(ids, 1, (size_t)bytes, file) != (size_t)bytes)
        fail("%s cannot be read", path);
    fclose(file);
    id_count = (size_t)bytes / (UUID_BYTES + 1);
}

static void make_agent(char *agent, size_t room) {
    static const char *const phones[] = {"SM-S918N", "SM-S921N", "SM-A546S", "SM-F946N",
                                         "Pixel 8",  "SM-G991N", "LM-V510N", "SM-S711N"};
    const char *phone = phones[below(8)];
    unsigned android = 10 + below(6), chrome = 100 + below(45), build = 4000 + below(3000);
    unsigned ios = 15 + below(4), minor = below(8), app = 10 + below(20);
    switch (below(100)) {
    case 0 ... 29:
        snprintf(agent, room,
                 "Mozilla/5.0 (Linux; Android %u; %s Build/UP1A.%u; wv) AppleWebKit/537.36 "
                 "(KHTML, like Gecko) Version/4.0 Chrome/%u.0.%u.64 Mobile Safari/537.36;"
                 "KAKAOTALK %u10%u",
                 android, phone, build, chrome, build, app, minor);
        return;
    case 30 ... 49:
        snprintf(agent, room,
                 "Mozilla/5.0 (iPhone; CPU iPhone OS %u_%u like Mac OS X) AppleWebKit/605.1.15 "
                 "(KHTML, like Gecko) Mobile/15E%u Instagram %u.0.0.%u.90 (iPhone15,3; "
                 "iOS %u_%u; ko_KR; scale=3.00)",
                 ios, minor, 100 + below(300), 280 + app, app, ios, minor);
        return;
    case 50 ... 64:
        snprintf(agent, room,
                 "Mozilla/5.0 (iPhone; CPU iPhone OS %u_%u like Mac OS X) AppleWebKit/605.1.15 "
                 "(KHTML, like Gecko) Version/%u.%u Mobile/15E148 Safari/604.1 "
                 "NAVER(inapp; search; 2000; 12.%u.%u)",
                 ios, minor, ios, minor, app, minor);
        return;
    case 65 ... 84:
        snprintf(agent, room,
                 "Mozilla/5.0 (Linux; Android %u; %s) AppleWebKit/537.36 (KHTML, like Gecko) "
                 "SamsungBrowser/%u.0 Chrome/%u.0.%u.%u Mobile Safari/537.36",
                 android, phone, app, chrome, build, 10 + below(90));
        return;
    case 85 ... 96:
        snprintf(agent, room,
                 "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like "
                 "Gecko) Chrome/%u.0.%u.%u Safari/537.36",
                 chrome, build, below(100));
        return;
    default:
        snprintf(agent, room, "Mozilla/5.0 (compatible; Yeti/1.%u; +http://naver.me/spd)",
                 below(9));
    }
}

static void make_template(char *target, int closes) {
    static const char *const referers[] = {"https://www.instagram.com/", "https://l.instagram.com/",
                                           "https://m.blog.naver.com/", "https://www.youtube.com/"};
    char agent[256], text[2 * REQUEST_BYTES];
    make_agent(agent, sizeof agent);
    int length = snprintf(
        text, sizeof text,
        "GET /go/00000000-0000-4000-8000-000000000000 HTTP/1.1\r\nHost: go.gonggumoa.example\r\n"
        "X-Forwarded-For: 100.100.100.100\r\nUser-Agent: %s\r\n"
        "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n"
        "Accept-Language: ko-KR,ko;q=0.9,en;q=0.8\r\nAccept-Encoding: gzip, deflate, br\r\n"
        "Referer: %s\r\n%sCookie: _ga=",
        agent, referers[below(4)], closes ? "Connection: close\r\n" : "");
    if (length + 12 > REQUEST_BYTES) fail("a request of %d bytes is too long", length);
    while (length < REQUEST_BYTES - 4) text[length++] = (char)('a' + below(26));
    memcpy(text + length, "\r\n\r\n", 4);
    memcpy(target, text, REQUEST_BYTES);
}

void requests_prepare(const char *ids_path, uint64_t seed, int closes) {
    seed_random(seed);
    read_ids(ids_path);
    for (int index = 0; index < TEMPLATES; index++) make_template(templates[index], closes);
    const char *field = memmem(templates[0], REQUEST_BYTES, "100.100.100.100", ADDRESS_BYTES);
    address_at = (size_t)(field - templates[0]);
    next_id = random_word() % id_count;
}

/* Four numbers of three digits each, so that every address is as long as the next. */
static void make_address(char *text) {
    uint64_t word = random_word();
    for (int part = 0; part < 4; part++) {
        unsigned number = 100 + (unsigned)((word >> (part * 16)) & 0xFFFF) % 120;
        if (part == 0) number = 110 + number % 8;
        text[part * 4] = (char)('0' + number / 100);
        text[part * 4 + 1] = (char)('0' + number / 10 % 10);
        text[part * 4 + 2] = (char)('0' + number % 10);
        if (part < 3) text[part * 4 + 3] = '.';
    }
}

void requests_next(char *target) {
    uint64_t word = random_word();
    if (word % 20 != 0 || last_address[0] == 0) {
        last_id = next_id;
        next_id = next_id + 1 == id_count ? 0 : next_id + 1;
        last_template = (last_template + 1) % TEMPLATES;
        make_address(last_address);
    }
    memcpy(target, templates[last_template], REQUEST_BYTES);
    memcpy(target + UUID_AT, ids + last_id * (UUID_BYTES + 1), UUID_BYTES);
    memcpy(target + address_at, last_address, ADDRESS_BYTES);
}
