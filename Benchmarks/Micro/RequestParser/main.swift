// Parses one browser's request again and again. `request-parser` runs it under callgrind twice and
// divides the difference, so that starting the process does not count.

let request =
    "GET /go/3Jd9xKq2?ch=story HTTP/1.1\r\nHost: go.gonggumoa.kr\r\nConnection: keep-alive\r\n"
    + "sec-ch-ua: \"Chromium\";v=\"124\", \"Android WebView\";v=\"124\"\r\n"
    + "sec-ch-ua-mobile: ?1\r\nUpgrade-Insecure-Requests: 1\r\n"
    + "User-Agent: Mozilla/5.0 (Linux; Android 14; SM-S918N) AppleWebKit/537.36 (KHTML, like "
    + "Gecko) Version/4.0 Chrome/124.0.0.0 Mobile Safari/537.36 KAKAOTALK 10.8.3\r\n"
    + "Accept: text/html,application/xhtml+xml\r\nSec-Fetch-Site: cross-site\r\n"
    + "Sec-Fetch-Mode: navigate\r\nReferer: https://l.instagram.com/\r\n"
    + "Accept-Encoding: gzip, deflate, br\r\nAccept-Language: ko-KR,ko;q=0.9\r\n\r\n"

@inline(never)
func parse(_ bytes: UnsafeRawBufferPointer, times: Int) -> Int {
    var head = RequestHead()
    var sum = 0
    for _ in 0..<times {
        let outcome = RequestParser.parse(bytes, seenBefore: 0, into: &head)
        if case .complete(let headBytes) = outcome {
            sum &+= headBytes &+ Int(head.userAgent.count)
        }
    }
    return sum
}

let times = CommandLine.arguments.dropFirst().first.flatMap { Int($0) } ?? 1_000_000
let start = ContinuousClock.now
let sum = Array(request.utf8).withUnsafeBytes { parse($0, times: times) }
let each = (ContinuousClock.now - start) / times
print("\(request.utf8.count) bytes, \(each) a request, check \(sum / times)")
