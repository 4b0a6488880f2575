/* load: closed-loop HTTP/1.1 load generator for chat completions, streaming or not. Loopback only.
 *
 *   cc -O2 -o load load.c
 *   ./load PORT CONNECTIONS SECONDS STREAM(0|1) MODEL [BODY_BYTES] [PATH] [EXTRA_HEADERS]
 *
 * Env: BODY_FILE holds the whole body instead, of whatever dialect PATH takes. TAG is put into the prompt (the mock reads mock-d..-p..-n.. anywhere in the body, for gateways that insist on
 * a known model name), EXTRA_JSON is put after the model field.
 * One thread, epoll. Every connection sends its next request when the last answer is complete (content-length,
 * chunked, or close-delimited). Starts are spread over the first second. The first WARM seconds (env WARM,
 * default 1) are not counted. In streams it looks for "@" + 19 digits (see mock_upstream.c): the one-way delay
 * from the upstream's send to our receive. Prints one JSON object; `sent` and `answered` (status 200, complete) count
 * the whole run, the uncounted first seconds too, so that a gateway's own records can be held against them.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

/* log-linear histogram: 64 octaves x 64 steps, about 1.5 % resolution */
typedef struct { uint64_t n, sum, max, b[64 * 64]; } Hist;
static void add(Hist *h, uint64_t v) {
    int o = 63 - __builtin_clzll(v | 1), s = o < 6 ? (int)v & 63 : (int)((v >> (o - 6)) & 63);
    h->b[o * 64 + s]++; h->n++; h->sum += v;
    if (v > h->max) h->max = v;
}
static double pct(Hist *h, double p) { /* microseconds */
    uint64_t want = (uint64_t)(h->n * p / 100), seen = 0;
    for (int i = 0; i < 64 * 64; i++)
        if ((seen += h->b[i]) > want) {
            int o = i / 64, s = i % 64;
            return (o < 6 ? s : ((uint64_t)1 << o) + ((uint64_t)s << (o - 6))) / 1000.0;
        }
    return h->max / 1000.0;
}

typedef struct {
    int fd, phase; /* 0 header, 1 body by length, 2 chunked, 3 until close */
    long start, first;
    char h[8192]; int hl;
    long left; int cs; long csize; /* chunked: state, size */
    int closes, bad, done_seen;
    char tail[32]; int tl;
    long sent;
} Conn;

static int ep, port, stream, reqlen;
static char *req;
static long t0, twarm, tend;
static Hist lat, ttfb, lag;
static uint64_t nsent, nok, nerr, nbytes, nconnect, nincomplete, nanswered;
static char errtext[300];

static long now_ns(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec * 1000000000L + t.tv_nsec; }

static void fire(Conn *c);
static void connect_(Conn *c) {
    int one = 1;
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (connect(c->fd, (void *)&a, sizeof a)) { perror("connect"); exit(1); }
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
    epoll_ctl(ep, EPOLL_CTL_ADD, c->fd, &e);
    nconnect++;
}
static void fire(Conn *c) {
    c->phase = 0; c->hl = 0; c->closes = 0; c->bad = 0; c->tl = 0; c->first = 0; c->done_seen = 0; c->cs = 0; c->csize = 0;
    c->start = now_ns();
    nsent++;
    if (send(c->fd, req, reqlen, MSG_NOSIGNAL) != reqlen) { c->bad = 1; }
}
static void scan(Conn *c, const char *b, int n, long t) {
    if (!stream) return;
    char joined[64];
    if (c->tl) { /* a marker cut in two by the read boundary */
        int k = n < 19 ? n : 19;
        memcpy(joined, c->tail, c->tl); memcpy(joined + c->tl, b, k);
        char *p = memchr(joined, '@', c->tl);
        if (p && joined + c->tl + k - p >= 20) { if (t > twarm) { long d = t - atol(p + 1); add(&lag, d > 0 ? d : 0); } }
        c->tl = 0;
    }
    const char *e = b + n;
    for (const char *p = b; (p = memchr(p, '@', e - p)); p++) {
        if (e - p < 20) { c->tl = e - p; memcpy(c->tail, p, c->tl); break; }
        if (t > twarm) { long d = t - strtol(p + 1, NULL, 10); add(&lag, d > 0 ? d : 0); }
        p += 19;
    }
    if (!c->done_seen && n >= 12 && memmem(e - (n < 64 ? n : 64), n < 64 ? n : 64, "[DONE]", 6)) c->done_seen = 1;
}
static void complete(Conn *c, int reopen) {
    long t = now_ns();
    if (stream && !c->done_seen) nincomplete++;
    if (c->start > twarm || stream) {
        if (t > twarm) {
            if (c->bad) nerr++; else { nok++; add(&lat, t - c->start); if (c->first) add(&ttfb, c->first - c->start); }
        }
    }
    if (!c->bad) nanswered++;
    if (reopen || c->closes) { close(c->fd); if (t < tend) connect_(c); }
    if (t < tend) fire(c);
}
static void eat(Conn *c, char *b, int n, long t) {
    while (n > 0) {
        if (c->phase == 0) {
            int k = n < (int)sizeof c->h - 1 - c->hl ? n : (int)sizeof c->h - 1 - c->hl, old = c->hl;
            memcpy(c->h + c->hl, b, k); c->hl += k; c->h[c->hl] = 0;
            char *he = strstr(c->h, "\r\n\r\n");
            if (!he) { b += k; n -= k; if (c->hl > 8000) { c->bad = 1; c->closes = 1; complete(c, 1); return; } continue; }
            int used = he + 4 - c->h - old;
            b += used; n -= used;
            int st = atoi(c->h + 9);
            if (st != 200) { c->bad = 1; if (!errtext[0]) { he[4] = 0; snprintf(errtext, sizeof errtext, "%.200s", n > 0 ? b : c->h); } }
            c->phase = 3; c->left = -1;
            for (char *l = c->h; l && l < he; ) {
                char *nl = strchr(l, '\n'); if (!nl) break; l = nl + 1;
                if (!strncasecmp(l, "content-length:", 15)) { c->phase = 1; c->left = atol(l + 15); }
                if (!strncasecmp(l, "transfer-encoding: chunked", 26)) { c->phase = 2; c->cs = 0; c->csize = 0; }
                if (!strncasecmp(l, "connection: close", 17)) c->closes = 1;
            }
            if (c->phase == 1 && c->left == 0) { complete(c, 0); return; }
        } else if (c->phase == 1) {
            int k = n < c->left ? n : c->left;
            if (!c->first) c->first = t;
            scan(c, b, k, t);
            c->left -= k; b += k; n -= k;
            if (c->left == 0) { complete(c, 0); return; }
        } else if (c->phase == 2) {
            if (c->cs == 2) { /* in data */
                int k = n < c->csize ? n : c->csize;
                if (!c->first) c->first = t;
                scan(c, b, k, t);
                c->csize -= k; b += k; n -= k;
                if (!c->csize) c->cs = 3;
                continue;
            }
            char ch = *b++; n--;
            if (c->cs == 0) {
                if (ch == '\n') { if (c->csize == 0) c->cs = 5; else c->cs = 2; }
                else if (ch == ';') c->cs = 1;
                else if (ch != '\r') c->csize = c->csize * 16 + (ch <= '9' ? ch - '0' : (ch | 32) - 'a' + 10);
            } else if (c->cs == 1) { if (ch == '\n') c->cs = c->csize ? 2 : 5; }
            else if (c->cs == 3) { if (ch == '\n') { c->cs = 0; c->csize = 0; } }
            else if (c->cs == 5) { if (ch == '\n') { complete(c, 0); return; } }
        } else { if (!c->first) c->first = t; scan(c, b, n, t); n = 0; }
    }
}
int main(int argc, char **argv) {
    if (argc < 6) { fprintf(stderr, "usage: load PORT CONNS SECONDS STREAM MODEL [BODY_BYTES] [PATH] [HEADERS]\n"); return 2; }
    port = atoi(argv[1]);
    int nc = atoi(argv[2]); double secs = atof(argv[3]); stream = atoi(argv[4]);
    const char *model = argv[5], *path = argc > 7 ? argv[7] : "/v1/chat/completions", *hdr = argc > 8 ? argv[8] : "";
    int want = argc > 6 ? atoi(argv[6]) : 700;
    if (nc > 20000 || secs > 120) return 2; /* bounded by design */
    char *body = malloc(want + 2000), *p = body;
    const char *tag = getenv("TAG") ? getenv("TAG") : "", *extra = getenv("EXTRA_JSON") ? getenv("EXTRA_JSON") : "";
    p += sprintf(p, "{\"model\":\"%s\",%s\"messages\":[{\"role\":\"system\",\"content\":\"You are a helpful assistant. Answer briefly and cite the documents you used. %s\"},"
        "{\"role\":\"user\",\"content\":\"", model, extra, tag);
    static const char *w = "Summarise the following report in three points and say what it leaves open: it covers the \\\"third\\\" quarter.\\n";
    while (p - body < want - 80) p += sprintf(p, "%s", w);
    p += sprintf(p, "\"}],\"temperature\":0.7,\"max_tokens\":256%s}", stream ? ",\"stream\":true,\"stream_options\":{\"include_usage\":true}" : "");
    const char *file = getenv("BODY_FILE");
    if (file) {
        FILE *f = fopen(file, "rb");
        body = realloc(body, 1 << 20);
        if (!f || !body) { perror(file); return 2; }
        p = body + fread(body, 1, (1 << 20) - 1, f);
        *p = 0;
        fclose(f);
    }
    int bl = p - body;
    req = malloc(bl + 2000);
    reqlen = sprintf(req, "POST %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\nAccept: application/json\r\nUser-Agent: OpenAI/Python 1.99.0\r\n"
        "X-Stainless-Lang: python\r\nX-Stainless-Package-Version: 1.99.0\r\nX-Stainless-Runtime: CPython\r\nContent-Type: application/json\r\n"
        "Authorization: Bearer sk-bench-0123456789abcdef\r\n%sContent-Length: %d\r\n\r\n%s", path, port, hdr, bl, body);
    signal(SIGPIPE, SIG_IGN);
    ep = epoll_create1(0);
    double warm = getenv("WARM") ? atof(getenv("WARM")) : 1;
    Conn *cs = calloc(nc, sizeof *cs);
    for (int i = 0; i < nc; i++) connect_(&cs[i]);
    t0 = now_ns(); twarm = t0 + (long)(warm * 1e9); tend = twarm + (long)(secs * 1e9);
    double spread = nc < 8 ? 0 : 0.9 * (warm < 1 ? warm : 1);
    int started = 0;
    struct epoll_event ev[512];
    static char buf[262144];
    for (;;) {
        long t = now_ns();
        while (started < nc && t - t0 >= (long)(spread * 1e9 * started / nc)) { fire(&cs[started++]); }
        if (t > tend) break;
        int n = epoll_wait(ep, ev, 512, started < nc ? 1 : 100);
        for (int i = 0; i < n; i++) {
            Conn *c = ev[i].data.ptr;
            ssize_t r = recv(c->fd, buf, sizeof buf, MSG_DONTWAIT);
            t = now_ns();
            if (r < 0 && errno == EAGAIN) continue;
            if (r <= 0) {
                if (c->phase == 3 && c->hl) { complete(c, 1); continue; }
                if (c->phase == 0 && !c->hl) { close(c->fd); connect_(c); fire(c); continue; } /* idle close */
                c->bad = 1; complete(c, 1); continue;
            }
            nbytes += r;
            eat(c, buf, r, t);
        }
    }
    double el = (now_ns() - twarm) / 1e9;
    for (char *q = errtext; *q; q++) if (*q == '"' || *q == '\\' || (unsigned char)*q < 32) *q = ' ';
    printf("{\"conns\":%d,\"secs\":%.3f,\"ok\":%lu,\"err\":%lu,\"sent\":%lu,\"answered\":%lu,\"incomplete\":%lu,\"rps\":%.1f,\"p50_us\":%.1f,\"p90_us\":%.1f,\"p99_us\":%.1f,\"mean_us\":%.1f,"
        "\"ttfb_p50_us\":%.1f,\"ttfb_p99_us\":%.1f,\"chunks\":%lu,\"chunks_per_s\":%.0f,\"lag_p50_us\":%.1f,\"lag_p90_us\":%.1f,\"lag_p99_us\":%.1f,\"lag_max_us\":%.1f,\"connects\":%lu,\"bytes\":%lu,\"error\":\"%s\"}\n",
        nc, el, nok, nerr, nsent, nanswered, nincomplete, nok / el, pct(&lat, 50), pct(&lat, 90), pct(&lat, 99), lat.n ? lat.sum / 1e3 / lat.n : 0.0,
        pct(&ttfb, 50), pct(&ttfb, 99), lag.n, lag.n / el, pct(&lag, 50), pct(&lag, 90), pct(&lag, 99), lag.max / 1e3, nconnect, nbytes, errtext);
    return 0;
}
