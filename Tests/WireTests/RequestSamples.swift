// Requests that must be taken, and shapes that must not, one a line.

enum RequestSamples {
    /// A phone's browser inside a messenger, as it follows a link: the request to be fast on.
    static let browser = """
        GET /go/3Jd9xKq2?ch=story HTTP/1.1\r
        Host: go.gonggumoa.kr\r
        Connection: keep-alive\r
        sec-ch-ua: "Chromium";v="124", "Android WebView";v="124"\r
        sec-ch-ua-mobile: ?1\r
        Upgrade-Insecure-Requests: 1\r
        User-Agent: Mozilla/5.0 (Linux; Android 14; SM-S918N) AppleWebKit/537.36 (KHTML, like \
        Gecko) Version/4.0 Chrome/124.0.0.0 Mobile Safari/537.36 KAKAOTALK 10.8.3\r
        Accept: text/html,application/xhtml+xml\r
        Sec-Fetch-Site: cross-site\r
        Sec-Fetch-Mode: navigate\r
        Referer: https://l.instagram.com/\r
        Accept-Encoding: gzip, deflate, br\r
        Accept-Language: ko-KR,ko;q=0.9\r
        \r\n
        """

    /// The same as a proxy hands it on to the edge, which `Benchmarks/Edge/load` sends.
    static let browserBehindProxy = """
        GET /go/0195c0de-7c1a-7000-8000-00000000002a HTTP/1.1\r
        Host: go.gonggumoa.example\r
        X-Forwarded-For: 112.169.120.114\r
        User-Agent: Mozilla/5.0 (Linux; Android 14; SM-S918N Build/UP1A.5000; wv) \
        AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/124.0.5000.64 Mobile \
        Safari/537.36;KAKAOTALK 20107\r
        Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r
        Accept-Language: ko-KR,ko;q=0.9,en;q=0.8\r
        Accept-Encoding: gzip, deflate, br\r
        Connection: keep-alive\r
        Referer: https://l.instagram.com/\r
        Cookie: _ga=GA1.2.1234567890.1234567890; access_token=a.b.c; _gid=GA1.2.1\r
        \r\n
        """

    static let report = """
        POST /api/v1/tracking/click HTTP/1.1\r
        host: go.gonggumoa.kr:8080\r
        content-length: 25\r
        content-type: application/json; charset=utf-8\r
        origin: https://gonggumoa.kr\r
        authorization: Bearer a.b.c\r
        cookie: access_token=x.y.z; other=1\r
        x-forwarded-for: 203.0.113.9, 10.0.0.1\r
        access-control-request-method: POST\r
        sec-purpose: prefetch;prerender\r
        expect: 100-Continue\r
        \r\n
        """

    static let good: [String] = [
        browser, browserBehindProxy, report,
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.0\r\n\r\n",
        "GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
        "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "HEAD /go/x HTTP/1.1\r\nHost:a\r\n\r\n",
        "OPTIONS /x HTTP/1.1\r\nHost: a\r\n\r\n",
        "PURGE /x HTTP/1.1\r\nHost: a\r\n\r\n",
        "M-SEARCH!#$%&'*+.^_`|~09 / HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET //evil.example/x HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /?a=b?c=d&e={|}^`\\[] HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /a=b;c=d?x== HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET /? HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET http://a.example/b?c HTTP/1.1\r\nHost: a.example\r\n\r\n",
        "GET HTTPS://a.example:443/b HTTP/1.1\r\nHost: A.Example\r\n\r\n",
        "GET http://a.example:80/b HTTP/1.1\r\nHost: a.example:\r\n\r\n",
        "GET http://a.example:8080/b HTTP/1.1\r\nHost: a.example:08080\r\n\r\n",
        "GET http://[::1]/b HTTP/1.1\r\nHost: [::1]:80\r\n\r\n",
        "GET http://a.example/b HTTP/1.0\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET http://a1/b HTTP/1.1\r\nHost: a1\r\n\r\n",
        "GET /a%20b%2Fc/%ED%95%9C?q=%zz&50% HTTP/1.1\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nTE: chunked\r\nX-Transfer-Encoding: chunked\r\n\r\n",
        "GET http://a.example HTTP/1.1\r\nHost: a.example\r\n\r\n",
        "GET http://a.example?q HTTP/1.1\r\nHost: a.example\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: [2001:db8::1]:8080\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: [1:2:3:4:5:6:7::]\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: [::ffff:203.0.113.9]\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: 203.0.113.9:80\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a_b-c.%41.example:\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: 123456789012345678901234567890.example\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: \t a \t \r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: a\tb\r\nY:\r\nZ:  \t\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX: \u{D55C}\u{AE00} obs-text\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nConnection: foo , CLOSE\r\nConnection: keep-alive\r\n\r\n",
        "GET / HTTP/1.0\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n",
        "GET / HTTP/1.0\r\nConnection: ,, upgrade,keep-alive\r\nHost: a\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 999999999999999999\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nUser-Agent: one\r\nUser-Agent: two\r\nReferer: 1\r\n"
            + "Referer: 2\r\nX-Forwarded-For: 1.1.1.1\r\nX-Forwarded-For: 2.2.2.2\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nPurpose: preview\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX-Purpose: a, PreFetch\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX-Moz: prerender\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nX-Moz: prefetc\r\nSec-Purpose: \r\n\r\n",
        "GET / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nhos: b\r\nhostt: b\r\nx-hos: c\r\nReferrr: d\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nTransfer_Encoding: chunked\r\n\r\n",
    ]
}
