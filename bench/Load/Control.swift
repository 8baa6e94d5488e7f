import BenchSupport
import Glibc

/// A whole answer, read at leisure: for setting up and checking, never for measuring.
struct Reply {
    let status: Int
    let head: [UInt8]
    let body: [UInt8]
}

/// One blocking keep-alive connection to a server.
final class Control {
    private static let timeoutMilliseconds: Int32 = 10_000
    private static let answerBytesMax = 256 * 1024 * 1024

    private let port: UInt16
    private var descriptor: Int32 = -1

    init(port: UInt16) {
        self.port = port
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    /// The answer to `request`, whatever it says. Connects again once if the server has closed.
    func exchange(_ request: RequestTemplate, _ index: Int = 0) throws -> Reply {
        var request = request
        if descriptor >= 0 {
            do {
                return try attempt(&request, index)
            } catch {
                // A server may close an idle connection at any time; a new one decides.
                close(descriptor)
            }
        }
        descriptor = bench_connect(port, 0, Self.timeoutMilliseconds)
        guard descriptor >= 0 else {
            throw BenchError("cannot connect to port \(port): errno \(-descriptor)")
        }
        return try attempt(&request, index)
    }

    /// The answer to `request`, which must be 200 with this code.
    func succeed(_ request: RequestTemplate, _ index: Int = 0, code: Int = 0) throws -> Reply {
        let reply = try exchange(request, index)
        guard reply.status == 200, reply.body.starts(with: Array("{\"code\":\(code),".utf8)) else {
            let text = String(decoding: reply.body.prefix(200), as: UTF8.self)
            throw BenchError("expected code \(code), got HTTP \(reply.status): \(text)")
        }
        return reply
    }

    private func attempt(_ request: inout RequestTemplate, _ index: Int) throws -> Reply {
        guard request.send(index, to: descriptor) else {
            throw BenchError("cannot write to port \(port): errno \(errno)")
        }
        var bytes: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 65_536)
        while true {
            if let headEnd = bytes.firstPosition(of: "\r\n\r\n").map({ $0 + 4 }),
                let length = Self.contentLength(Array(bytes[..<headEnd])),
                bytes.count >= headEnd + length
            {
                return Reply(
                    status: bytes.number(at: 9) ?? 0, head: Array(bytes[..<headEnd]),
                    body: Array(bytes[headEnd..<(headEnd + length)]))
            }
            guard bytes.count < Self.answerBytesMax else { throw BenchError("answer too large") }
            let count = unsafe read(descriptor, &chunk, chunk.count)
            guard count > 0 else {
                throw BenchError("port \(port) answered nothing: errno \(count < 0 ? errno : 0)")
            }
            bytes.append(contentsOf: chunk[..<count])
        }
    }

    private static func contentLength(_ head: [UInt8]) -> Int? {
        let lower = head.map { $0 >= 0x41 && $0 <= 0x5A ? $0 | 0x20 : $0 }
        return lower.number(after: "content-length: ")
    }
}
