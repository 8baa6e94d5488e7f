import Foundation
import Synchronization

/// A node of the reference's kind, as far as another node sees it: writes down what it is sent and
/// answers as it is told.
final class ReferencePeer {
    struct Request: Sendable {
        var method: String
        var path: String
        var head: String
        /// Names and values in their order, decoded.
        var form: [(name: String, value: String)]

        /// What `path` ends in: register, renew, nodes, fetch/all.
        var route: String {
            String(path.prefix { $0 != "?" }.dropFirst("/discovery/".count))
        }

        subscript(name: String) -> [String] { form.filter { $0.name == name }.map(\.value) }
    }

    typealias Answer = @Sendable (Request) -> String

    private enum Silence { case none, wanted, kept }

    private final class Shared: Sendable {
        let requests = Mutex<[Request]>([])
        let answer: Mutex<Answer>
        let isEnded = Mutex(false)
        let silence = Mutex(Silence.none)

        init(_ answer: @escaping Answer) { self.answer = Mutex(answer) }
    }

    static let done = #"{"code":0,"message":"0","ttl":1}"#

    let port: UInt16
    private let shared: Shared

    /// Holds `all`, the JSON of what fetch/all answers, and accepts every write.
    init(all: String = #"{"code":0,"message":"0","ttl":1,"data":{}}"#) throws {
        let (listener, port) = try LoopbackSocket.listen()
        self.port = port
        let shared = Shared { request in
            switch request.route {
            case "fetch/all": all
            case "nodes": #"{"code":0,"message":"0","ttl":1,"data":[]}"#
            default: Self.done
            }
        }
        self.shared = shared
        Thread.detachNewThread {
            let server = Server(listener: listener) { request in
                shared.requests.withLock { $0.append(request) }
                return shared.answer.withLock { $0 }(request)
            }
            while !shared.isEnded.withLock({ $0 }) {
                let isSilent = shared.silence.withLock { silence in
                    if silence == .wanted { silence = .kept }
                    return silence == .kept
                }
                if isSilent {
                    _ = poll(nil, 0, 10)
                } else {
                    server.advance()
                }
            }
        }
    }

    deinit { shared.isEnded.withLock { $0 = true } }

    var address: String { "127.0.0.1:\(port)" }

    /// All so far.
    var requests: [Request] { shared.requests.withLock { $0 } }

    /// Those that write, and name this app.
    func writes(_ appid: String = "demo.app") -> [Request] {
        requests.filter { $0.method == "POST" && $0["appid"] == [appid] }
    }

    /// Takes connections and requests, as the system does for it, and says nothing any more when
    /// this returns.
    func stopAnswering() {
        shared.silence.withLock { $0 = .wanted }
        _ = eventually { shared.silence.withLock { $0 } == .kept }
    }

    /// From now on; nil: as before.
    func answer(_ change: @escaping @Sendable (Request) -> String?) {
        shared.answer.withLock { answer in
            let before = answer
            answer = { request in change(request) ?? before(request) }
        }
    }

    /// Thread of the peer only.
    private final class Server {
        private let listener: Int32
        private let serve: (Request) -> String
        private var connections: [(descriptor: Int32, received: [UInt8])] = []

        init(listener: Int32, serve: @escaping (Request) -> String) {
            self.listener = listener
            self.serve = serve
        }

        deinit {
            for connection in connections { close(connection.descriptor) }
            close(listener)
        }

        func advance() {
            var entries = ([listener] + connections.map(\.descriptor)).map {
                pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
            }
            _ = unsafe poll(&entries, nfds_t(entries.count), 10)
            while true {
                let descriptor = LoopbackSocket.accept(listener)
                if descriptor < 0 { break }
                connections.append((descriptor, []))
            }
            for index in connections.indices.reversed() where !read(index) {
                close(connections[index].descriptor)
                connections.remove(at: index)
            }
        }

        /// False at the end.
        private func read(_ index: Int) -> Bool {
            let descriptor = connections[index].descriptor
            var piece = [UInt8](repeating: 0, count: 65_536)
            let count = unsafe recv(descriptor, &piece, piece.count, 0)
            if count < 0 { return errno == EAGAIN || errno == EINTR }
            connections[index].received += piece[..<count]
            while let (request, end) = ReferencePeer.parse(connections[index].received) {
                connections[index].received.removeFirst(end)
                let isKnown = request.route != "balance"
                let body = isKnown ? serve(request) : "404 page not found"
                let head =
                    "HTTP/1.1 \(isKnown ? "200 OK" : "404 Not Found")\r\n"
                    + "Content-Type: application/json; charset=utf-8\r\n"
                    + "Content-Length: \(body.utf8.count)\r\n\r\n"
                let reply = Array((head + body).utf8)
                let sent = unsafe send(
                    descriptor, reply, reply.count,
                    Int32(truncatingIfNeeded: MSG_NOSIGNAL))
                if sent != reply.count { return false }
            }
            return count > 0
        }
    }

    private static func parse(_ bytes: [UInt8]) -> (Request, Int)? {
        let text = String(decoding: bytes, as: UTF8.self)
        guard let place = text.firstRange(of: "\r\n\r\n") else { return nil }
        let head = String(text[..<place.lowerBound])
        let start = text.utf8.distance(from: text.startIndex, to: place.upperBound)
        let reply = HTTPReply(head: head, body: [])
        let length = Int(reply.header("Content-Length") ?? "0") ?? 0
        guard bytes.count >= start + length else { return nil }
        let words = head.split(separator: "\r\n")[0].split(separator: " ")
        let body = String(decoding: bytes[start..<start + length], as: UTF8.self)
        let form = body.split(separator: "&").map { pair in
            let name = String(pair.prefix { $0 != "=" })
            let value = pair.dropFirst(name.count + 1).replacing("+", with: " ")
            return (name: name, value: value.removingPercentEncoding ?? String(value))
        }
        let request = Request(
            method: String(words[0]), path: String(words[1]), head: head, form: form)
        return (request, start + length)
    }
}
