/* mock_upstream: a fake model provider that is much cheaper than any gateway under test. It speaks three dialects.
 *
 *   cc -O2 -o mock_upstream mock_upstream.c && ./mock_upstream 9100      (0: any free port; it is printed)
 *
 * One thread, epoll, HTTP/1.1 keep-alive, 127.0.0.1 only. The path chooses the dialect of the answer:
 *   POST .../messages                         Anthropic Messages
 *   POST .../{model}:generateContent          Gemini
 *   POST .../{model}:streamGenerateContent    Gemini, as server-sent events (`alt=sse`)
 *   any other POST                            OpenAI chat completions
 * What it does is chosen by the model name, looked for in the body and then in the path, so that the choice survives
 * any gateway:   mock-d<delay ms>-p<pace ms>-n<events>      e.g. mock-d50-p10-n100
 *   not a stream      -> after <delay> one JSON completion of 300 characters of text, with usage
 *   a stream          -> after <delay> <events> SSE events (~250 bytes as OpenAI writes them, ~130 as Anthropic,
 *                        ~220 as Gemini), one HTTP chunk and one send() each, <pace> ms apart (0: back to back),
 *                        then usage and the dialect's end mark.
 * The text of every delta starts with "@" and 19 digits: the CLOCK_MONOTONIC nanosecond at which it was sent. The load
 * generator on the same machine reads it to get the one-way delay of every event, translated or not.
 * GET /stats answers {"requests":..,"connections":..,"open":..}.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAXFD 65536
#define NPACE 1024 /* delays and paces are whole milliseconds below this */

enum { OPENAI, ANTHROPIC, GEMINI, DIALECTS };

typedef struct {
    char *in;
    size_t len, cap;
    char *out;              /* unsent bytes when the peer is slow */
    size_t outlen;
    int busy, dialect, stream, left, delay, pace, first;
    unsigned gen;
    long due;
} Conn;

typedef struct { int fd; unsigned gen; long due; } Timer;
typedef struct { Timer *q; size_t head, len, cap; } Queue; /* one FIFO per delay: always in due order */

static Conn conns[MAXFD];
static Queue queues[NPACE];
static int used[NPACE], nused, ep;
static unsigned long nreq, nconn, nopen;

static long now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000L + t.tv_nsec;
}

static void later(int fd, int ms, long due) {
    Queue *q = &queues[ms];
    if (q->cap == 0) used[nused++] = ms;
    if (q->len == q->cap) {
        size_t cap = q->cap ? q->cap * 2 : 256;
        Timer *n = malloc(cap * sizeof *n);
        for (size_t i = 0; i < q->len; i++) n[i] = q->q[(q->head + i) % q->cap];
        free(q->q);
        q->q = n; q->head = 0; q->cap = cap;
    }
    q->q[(q->head + q->len++) % q->cap] = (Timer){fd, conns[fd].gen, due};
    conns[fd].due = due;
}

static void drop(int fd) {
    Conn *c = &conns[fd];
    close(fd);
    free(c->in); free(c->out);
    unsigned g = c->gen + 1;
    memset(c, 0, sizeof *c);
    c->gen = g;
    nopen--;
}

static int put(int fd, const char *b, size_t n) {
    Conn *c = &conns[fd];
    if (!c->outlen) {
        ssize_t w = send(fd, b, n, MSG_NOSIGNAL);
        if (w == (ssize_t)n) return 0;
        if (w < 0) {
            if (errno != EAGAIN) { drop(fd); return -1; }
            w = 0;
        }
        b += w; n -= w;
        struct epoll_event e = {.events = EPOLLIN | EPOLLOUT, .data.fd = fd};
        epoll_ctl(ep, EPOLL_CTL_MOD, fd, &e);
    }
    c->out = realloc(c->out, c->outlen + n);
    memcpy(c->out + c->outlen, b, n);
    c->outlen += n;
    return 0;
}

/* ---- what a provider says, per dialect ---- */

#define CHUNK_HEAD "{\"id\":\"chatcmpl-mock0123456789abcdef\",\"object\":\"chat.completion.chunk\",\"created\":1760000000," \
    "\"model\":\"mock\",\"system_fingerprint\":\"fp_mock\",\"choices\":"
#define MESSAGE_HEAD "{\"id\":\"msg_mock0123456789abcdef\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"mock\","
#define GEMINI_TAIL "\"modelVersion\":\"mock\",\"responseId\":\"mock0123456789abcdef\"}"

static const char *TEXT =
    "The quick brown fox jumps over the lazy dog while a patient gateway counts every token that passes by, "
    "forwards the answer without changing a byte of it and writes down what it cost, so that tomorrow "
    "somebody can read it.";

static const char *PLAIN[DIALECTS] = {
    [OPENAI] = "{\"id\":\"chatcmpl-mock0123456789abcdef\",\"object\":\"chat.completion\",\"created\":1760000000,"
        "\"model\":\"mock\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"%s\","
        "\"refusal\":null},\"logprobs\":null,\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":120,"
        "\"completion_tokens\":60,\"total_tokens\":180},\"service_tier\":\"default\",\"system_fingerprint\":\"fp_mock\"}",
    [ANTHROPIC] = MESSAGE_HEAD "\"content\":[{\"type\":\"text\",\"text\":\"%s\"}],\"stop_reason\":\"end_turn\","
        "\"stop_sequence\":null,\"usage\":{\"input_tokens\":120,\"cache_creation_input_tokens\":0,"
        "\"cache_read_input_tokens\":0,\"output_tokens\":60,\"service_tier\":\"standard\"}}",
    [GEMINI] = "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"%s\"}],\"role\":\"model\"},\"finishReason\":\"STOP\","
        "\"index\":0}],\"usageMetadata\":{\"promptTokenCount\":120,\"candidatesTokenCount\":60,\"totalTokenCount\":180},"
        GEMINI_TAIL,
};
static char replies[DIALECTS][2048];
static int replylens[DIALECTS];

static void write_replies(void) {
    for (int d = 0; d < DIALECTS; d++) {
        char json[1500];
        int n = sprintf(json, PLAIN[d], TEXT);
        replylens[d] = sprintf(replies[d],
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nx-request-id: req_mock0123456789\r\n"
            "openai-processing-ms: 1\r\nContent-Length: %d\r\n\r\n%s", n, json);
    }
}

/* One HTTP chunk holding one SSE event. Anthropic names its events, Gemini ends its lines with CR LF. */
static int event(char *b, const char *name, const char *json, const char *eol) {
    char e[1200];
    int n = name ? sprintf(e, "event: %s%s", name, eol) : 0;
    n += sprintf(e + n, "data: %s%s%s", json, eol, eol);
    return sprintf(b, "%x\r\n%.*s\r\n", n, n, e);
}

/* What comes before the first delta, in the same send as it. */
static int opening(char *b, int dialect) {
    if (dialect != ANTHROPIC) return 0;
    int n = event(b, "message_start", "{\"type\":\"message_start\",\"message\":" MESSAGE_HEAD "\"content\":[],\"stop_reason\":null,"
        "\"stop_sequence\":null,\"usage\":{\"input_tokens\":120,\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":0,"
        "\"output_tokens\":1,\"service_tier\":\"standard\"}}}", "\n");
    return n + event(b + n, "content_block_start",
        "{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}", "\n");
}

static int delta(char *b, int dialect, int first, long sent_ns) {
    char j[512];
    switch (dialect) {
    case ANTHROPIC:
        sprintf(j, "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"@%019ld token\"}}", sent_ns);
        return event(b, "content_block_delta", j, "\n");
    case GEMINI:
        sprintf(j, "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"@%019ld token\"}],\"role\":\"model\"},\"index\":0}],"
            "\"usageMetadata\":{\"promptTokenCount\":120,\"totalTokenCount\":120}," GEMINI_TAIL, sent_ns);
        return event(b, NULL, j, "\r\n");
    default:
        sprintf(j, CHUNK_HEAD "[{\"index\":0,\"delta\":{%s\"content\":\"@%019ld token\"},\"logprobs\":null,\"finish_reason\":null}]}",
            first ? "\"role\":\"assistant\"," : "", sent_ns);
        return event(b, NULL, j, "\n");
    }
}

/* Usage and end mark. The terminating empty chunk is the caller's. */
static int closing(char *b, int dialect) {
    int n;
    switch (dialect) {
    case ANTHROPIC:
        n = event(b, "content_block_stop", "{\"type\":\"content_block_stop\",\"index\":0}", "\n");
        n += event(b + n, "message_delta", "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},"
            "\"usage\":{\"output_tokens\":100}}", "\n");
        return n + event(b + n, "message_stop", "{\"type\":\"message_stop\"}", "\n");
    case GEMINI:
        return event(b, NULL, "{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"\"}],\"role\":\"model\"},\"finishReason\":\"STOP\","
            "\"index\":0}],\"usageMetadata\":{\"promptTokenCount\":120,\"candidatesTokenCount\":100,\"totalTokenCount\":220},"
            GEMINI_TAIL, "\r\n");
    default:
        n = event(b, NULL, CHUNK_HEAD "[{\"index\":0,\"delta\":{},\"logprobs\":null,\"finish_reason\":\"stop\"}]}", "\n");
        n += event(b + n, NULL, CHUNK_HEAD "[],\"usage\":{\"prompt_tokens\":120,\"completion_tokens\":100,\"total_tokens\":220}}", "\n");
        return n + event(b + n, NULL, "[DONE]", "\n");
    }
}

/* ---- connections ---- */

static void finish(int fd);

static void step(int fd) { /* send what is due on this connection */
    Conn *c = &conns[fd];
    if (!c->stream) {
        if (put(fd, replies[c->dialect], replylens[c->dialect]) == 0) finish(fd);
        return;
    }
    unsigned gen = c->gen;
    while (c->left > 0) {
        char b[2400];
        int n = c->first ? opening(b, c->dialect) : 0;
        n += delta(b + n, c->dialect, c->first, now_ns());
        c->first = 0;
        c->left--;
        if (put(fd, b, n) < 0 || c->gen != gen) return;
        if (c->pace) { later(fd, c->pace, c->due + c->pace * 1000000L); return; }
    }
    char b[1600];
    int n = closing(b, c->dialect);
    n += sprintf(b + n, "0\r\n\r\n");
    if (put(fd, b, n) == 0) finish(fd);
}

static void handle(int fd);
static void finish(int fd) { conns[fd].busy = 0; if (conns[fd].len) handle(fd); }

static int has(const char *b, const char *end, const char *word) { return memmem(b, end - b, word, strlen(word)) != NULL; }

static int num(const char *p, const char *end, char key, int dflt) { /* "-<key><digits>" */
    for (; p + 2 < end && *p != '"' && *p != ' '; p++)
        if (p[0] == '-' && p[1] == key) return atoi(p + 2);
    return dflt;
}

static void handle(int fd) {
    Conn *c = &conns[fd];
    if (c->busy) return;
    char *he = memmem(c->in, c->len, "\r\n\r\n", 4);
    if (!he) return;
    size_t hl = he - c->in + 4, total = hl;
    char *body = c->in + hl;
    char *cl = NULL;
    int chunked = 0;
    for (char *l = c->in; l < he; ) {
        char *nl = memchr(l, '\n', he + 2 - l);
        if (!nl) break;
        l = nl + 1;
        if (he - l > 15 && !strncasecmp(l, "content-length:", 15)) cl = l + 15;
        if (he - l > 18 && !strncasecmp(l, "transfer-encoding:", 18)) chunked = 1;
    }
    if (cl) {
        total = hl + strtoul(cl, NULL, 10);
        if (c->len < total) return;
    } else if (chunked) { /* good enough for JSON bodies: wait for the last chunk */
        char *e = memmem(body, c->len - hl, "0\r\n\r\n", 5);
        if (!e) return;
        total = e + 5 - c->in;
    }
    char *end = c->in + total;
    nreq++;
    if (c->in[0] == 'G') {
        char b[300], j[200];
        int n = sprintf(j, "{\"requests\":%lu,\"connections\":%lu,\"open\":%lu}", nreq, nconn, nopen);
        n = sprintf(b, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", n, j);
        memmove(c->in, end, c->len - total); c->len -= total;
        put(fd, b, n);
        return;
    }
    char *eol = memchr(c->in, '\n', he + 2 - c->in); /* there is one: the head is complete */
    c->dialect = has(c->in, eol, "/messages ") ? ANTHROPIC : has(c->in, eol, "enerateContent") ? GEMINI : OPENAI;
    char *m = memmem(body, end - body, "mock-", 5);
    if (!m) m = memmem(c->in, eol - c->in, "mock-", 5);
    c->delay = m ? num(m + 4, end, 'd', 0) : 0;
    c->pace = m ? num(m + 4, end, 'p', 0) : 0;
    c->left = m ? num(m + 4, end, 'n', 100) : 100;
    if (c->delay >= NPACE) c->delay = NPACE - 1;
    if (c->pace >= NPACE) c->pace = NPACE - 1;
    c->stream = c->dialect == GEMINI && has(c->in, eol, ":streamGenerateContent");
    char *s = c->dialect == GEMINI ? NULL : memmem(body, end - body, "\"stream\"", 8);
    if (s) { s += 8; while (s < end && (*s == ' ' || *s == ':')) s++; c->stream = s < end && *s == 't'; }
    memmove(c->in, end, c->len - total);
    c->len -= total;
    c->busy = 1;
    c->first = 1;
    if (c->stream) {
        static const char *h = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nCache-Control: no-cache\r\n"
            "x-request-id: req_mock0123456789\r\nopenai-processing-ms: 1\r\nTransfer-Encoding: chunked\r\n\r\n";
        if (put(fd, h, strlen(h)) < 0) return;
    }
    long t = now_ns();
    c->due = t;
    if (c->delay) later(fd, c->delay, t + c->delay * 1000000L);
    else step(fd);
}

int main(int argc, char **argv) {
    int port = argc > 1 ? atoi(argv[1]) : 9100, one = 1;
    write_replies();
    signal(SIGPIPE, SIG_IGN);
    int ls = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
    setsockopt(ls, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    if (bind(ls, (void *)&a, sizeof a) || listen(ls, 4096)) { perror("bind"); return 1; }
    ep = epoll_create1(0);
    struct epoll_event e = {.events = EPOLLIN, .data.fd = ls}, ev[512];
    epoll_ctl(ep, EPOLL_CTL_ADD, ls, &e);
    socklen_t al = sizeof a;
    getsockname(ls, (void *)&a, &al);
    printf("%d\n", ntohs(a.sin_port)); /* port 0 asks for a free one */
    fflush(stdout);
    for (;;) {
        long t = now_ns(), next = -1;
        for (int i = 0; i < nused; i++) {
            Queue *q = &queues[used[i]];
            while (q->len && q->q[q->head].due <= t) {
                Timer x = q->q[q->head];
                q->head = (q->head + 1) % q->cap; q->len--;
                if (conns[x.fd].gen == x.gen && conns[x.fd].busy) step(x.fd);
            }
            if (q->len && (next < 0 || q->q[q->head].due < next)) next = q->q[q->head].due;
        }
        struct timespec ts, *tp = NULL;
        if (next >= 0) {
            long d = next - now_ns();
            if (d < 0) d = 0;
            ts.tv_sec = d / 1000000000L; ts.tv_nsec = d % 1000000000L; tp = &ts;
        }
        int n = epoll_pwait2(ep, ev, 512, tp, NULL);
        for (int i = 0; i < n; i++) {
            int fd = ev[i].data.fd;
            if (fd == ls) {
                int s;
                while ((s = accept4(ls, NULL, NULL, SOCK_NONBLOCK)) >= 0) {
                    if (s >= MAXFD) { close(s); continue; }
                    setsockopt(s, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
                    struct epoll_event x = {.events = EPOLLIN, .data.fd = s};
                    epoll_ctl(ep, EPOLL_CTL_ADD, s, &x);
                    nconn++; nopen++;
                }
                continue;
            }
            Conn *c = &conns[fd];
            if (ev[i].events & EPOLLOUT && c->outlen) {
                ssize_t w = send(fd, c->out, c->outlen, MSG_NOSIGNAL);
                if (w < 0 && errno != EAGAIN) { drop(fd); continue; }
                if (w > 0) { memmove(c->out, c->out + w, c->outlen - w); c->outlen -= w; }
                if (!c->outlen) {
                    struct epoll_event x = {.events = EPOLLIN, .data.fd = fd};
                    epoll_ctl(ep, EPOLL_CTL_MOD, fd, &x);
                }
            }
            if (ev[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
                if (c->cap - c->len < 16384) c->in = realloc(c->in, c->cap = c->cap ? c->cap * 2 : 16384 * 2);
                ssize_t r = recv(fd, c->in + c->len, c->cap - c->len, 0);
                if (r == 0 || (r < 0 && errno != EAGAIN)) { drop(fd); continue; }
                if (r > 0) { c->len += r; handle(fd); }
            }
        }
    }
}
