import Testing

extension EndToEndTests {
    /// Bytes that are no HTTP request, or one that is too large: 400, 405 or 413, and the
    /// connection is closed, because nobody knows where the next request would begin.
    @Suite struct BadFrameTests {
        struct Row: CustomTestStringConvertible {
            var reason: String
            var status: Int
            var text: String
            var testDescription: String { reason }
        }

        static let host = "Host: node\r\n"
        static let post = "POST /discovery/register HTTP/1.1\r\n\(host)"
        static let get = "GET /discovery/nodes HTTP/1.1\r\n"

        static let rows: [Row] = [
            Row(reason: "unknownMethod", status: 405, text: "BREW /pot HTTP/1.1\r\n\(host)\r\n"),
            Row(reason: "malformedMethod", status: 400, text: "\u{16}\u{3}\u{1}\u{2}\0\r\n\r\n"),
            Row(reason: "malformedTarget", status: 400, text: "GET nodes HTTP/1.1\r\n\r\n"),
            Row(reason: "unsupportedVersion", status: 400, text: "GET / HTTP/3.0\r\n\r\n"),
            Row(reason: "malformedLineEnd", status: 400, text: "GET / HTTP/1.1\nHost: node\n\n"),
            Row(reason: "malformedFieldName", status: 400, text: "\(get)\(host)a b: c\r\n\r\n"),
            Row(reason: "malformedFieldValue", status: 400, text: "\(get)\(host)a: b\0\r\n\r\n"),
            Row(reason: "foldedField", status: 400, text: "\(get)\(host) c\r\n\r\n"),
            Row(reason: "missingHost", status: 400, text: "\(get)\r\n"),
            Row(reason: "repeatedHost", status: 400, text: "\(get)\(host)\(host)\r\n"),
            Row(
                reason: "headTooLarge", status: 400,
                text: "\(get)\(host)a: \(String(repeating: "x", count: 20_000))\r\n\r\n"),
            Row(
                reason: "headTooLarge", status: 400,
                text: "GET /?\(String(repeating: "x", count: 20_000)) HTTP/1.1\r\n\r\n"),
            Row(
                reason: "bodyTooLarge", status: 413,
                text:
                    "\(post)Content-Length: 300000\r\n\r\n\(String(repeating: "x", count: 300_000))"
            ),
            Row(
                reason: "bodyTooLarge", status: 413,
                text: "\(post)Transfer-Encoding: chunked\r\n\r\n493E0\r\n"
                    + String(repeating: "x", count: 300_000)),
            Row(
                reason: "malformedContentLength", status: 400,
                text: "\(post)Content-Length: 18446744073709551617\r\n\r\nx"),
            Row(
                reason: "malformedContentLength", status: 400,
                text: "\(post)Content-Length: -1\r\n\r\nx"),
            Row(
                reason: "repeatedContentLength", status: 400,
                text: "\(post)Content-Length: 1\r\nContent-Length: 2\r\n\r\nxx"),
            Row(
                reason: "lengthAndTransferEncoding", status: 400,
                text: "\(post)Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
            Row(
                reason: "unsupportedTransferEncoding", status: 400,
                text: "\(post)Transfer-Encoding: gzip\r\n\r\nx"),
            Row(
                reason: "malformedChunkSize", status: 400,
                text: "\(post)Transfer-Encoding: chunked\r\n\r\nzz\r\n"),
            Row(
                reason: "malformedChunkEnd", status: 400,
                text: "\(post)Transfer-Encoding: chunked\r\n\r\n1\r\nab\r\n"),
        ]

        @Test func `every bad frame is answered, counted and closed`() throws {
            let node = try NodeProcess()
            var counts: [String: Int] = [:]
            for row in Self.rows {
                counts[row.reason, default: 0] += 1
                let client = try node.connect()
                // Large ones may be refused before they are sent.
                _ = client.sendAll(Array(row.text.utf8))
                let answer = try client.remainder()
                #expect(answer.hasPrefix("HTTP/1.1 \(row.status) "), "\(row.reason): \(answer)")
                #expect(answer.contains("\r\nConnection: close\r\n"), "\(row.reason)")
                #expect(
                    try eventually {
                        try node.metric(
                            "discovery_malformed_requests_total", ["reason": row.reason])
                            == counts[row.reason]
                    }, "\(row.reason)")
                #expect(try node.get("/discovery/nodes").code == 0, "\(row.reason)")
            }
            #expect(try eventually { try node.metric("discovery_connections") == 2 })
        }

        @Test func `good requests before a bad one are answered`() throws {
            let node = try NodeProcess()
            let client = try node.connect()
            try client.send(
                HTTPRequest.post("/discovery/register", Form.register("a"))
                    + HTTPRequest.post("/discovery/renew", Form.key("a")) + "\0\r\n\r\n")
            #expect(try client.reply().code == 0)
            #expect(try client.reply().code == 0)
            #expect(try client.remainder().hasPrefix("HTTP/1.1 400 "))
        }

        @Test func `random bytes end no node`() throws {
            let node = try NodeProcess()
            var generator = SeededGenerator.fromEnvironment()
            for _ in 0..<200 {
                let client = try node.connect()
                let count = Int.random(in: 1...2000, using: &generator)
                var bytes = (0..<count).map { _ in UInt8.random(in: 0...255, using: &generator) }
                if Bool.random(using: &generator) {
                    bytes = Array("POST /discovery/register HTTP/1.1\r\nHost: n\r\n".utf8) + bytes
                }
                _ = client.sendAll(bytes)
            }
            #expect(try node.get("/discovery/nodes").code == 0)
            #expect(node.stop() == .exited(0))
        }
    }
}
