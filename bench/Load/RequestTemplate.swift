import Glibc

/// One preformatted request in which only fixed-width numbers change.
///
/// `{N}` in the text stands for the request's index, `{N/20}` for the index divided by 20, both as
/// seven digits. Sending writes the digits in place: no allocation and no formatting, for any
/// number of instances.
struct RequestTemplate {
    /// Width of every number: more instances than any run registers.
    static let digits = 7

    private struct Slot {
        let offset: Int
        let divisor: Int
    }

    private var bytes: [UInt8] = []
    private var slots: [Slot] = []

    init(_ text: String) {
        let source = Array(text.utf8)
        let marker = Array("{N".utf8)
        var position = 0
        while position < source.count {
            guard source[position...].starts(with: marker),
                let end = source[position...].firstIndex(of: UInt8(ascii: "}"))
            else {
                bytes.append(source[position])
                position += 1
                continue
            }
            let divisor = String(decoding: source[position..<end], as: UTF8.self).dropFirst(3)
            slots.append(Slot(offset: bytes.count, divisor: Int(divisor) ?? 1))
            bytes.append(contentsOf: repeatElement(UInt8(ascii: "0"), count: Self.digits))
            position = end + 1
        }
    }

    /// Its length on the wire.
    var byteCount: Int { bytes.count }

    /// Writes the request for `index`. False when the socket did not take all of it: with one
    /// request under way per connection that means that it is broken.
    mutating func send(_ index: Int, to descriptor: Int32) -> Bool {
        for slot in slots {
            var rest = index / slot.divisor
            var position = slot.offset + Self.digits
            while position > slot.offset {
                position -= 1
                bytes[position] = UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10)
                rest /= 10
            }
        }
        return unsafe write(descriptor, bytes, bytes.count) == bytes.count
    }
}

/// Requests as the Go SDK sends them: form bodies with sorted keys, its headers in its order.
enum SDK {
    private static let agent = "blademaster1.14.2 bench bench.load"
    private static let deadline = "X1-Bmspy-Timeout: 40000"

    static func post(_ path: String, form: String) -> RequestTemplate {
        let length = RequestTemplate(form).byteCount
        return RequestTemplate(
            "POST \(path) HTTP/1.1\r\nHost: 127.0.0.1:7171\r\nUser-Agent: \(agent)\r\n"
                + "Content-Length: \(length)\r\n"
                + "Content-Type: application/x-www-form-urlencoded\r\n"
                + "\(deadline)\r\nX1-Bmspy-User: bench\r\nAccept-Encoding: gzip\r\n\r\n\(form)")
    }

    static func get(_ target: String) -> RequestTemplate {
        RequestTemplate(
            "GET \(target) HTTP/1.1\r\nHost: 127.0.0.1:7171\r\nUser-Agent: \(agent)\r\n"
                + "\(deadline)\r\nX1-Bmspy-User: bench\r\nAccept-Encoding: gzip\r\n\r\n")
    }
}

/// A numbered set of instances: instance N is host `HOST-N` of app `bench.APP.(N / perApp)`.
struct Fleet {
    let app: String
    let host: String
    /// Instances per app; `.max` keeps them all in app 0, whatever the index.
    var perApp = Int.max

    private var appid: String { "bench.\(app).{N/\(perApp)}" }
    private var hostname: String { "\(host)-{N}" }
    /// The name of the app with this number.
    func appName(_ number: Int) -> String {
        let digits = String(number)
        let padding = String(repeating: "0", count: max(0, RequestTemplate.digits - digits.count))
        return "bench.\(app).\(padding)\(digits)"
    }

    /// Two addresses and a small metadata object.
    func register(version: String = "1.0.0") -> RequestTemplate {
        SDK.post(
            "/discovery/register",
            form: "addrs=http%3A%2F%2F10.0.0.1%3A8000&addrs=grpc%3A%2F%2F10.0.0.1%3A9000"
                + "&appid=\(appid)&env=dev&hostname=\(hostname)"
                + "&metadata=%7B%22color%22%3A%22blue%22%2C%22weight%22%3A%2210%22%7D"
                + "&region=sh&status=1&version=\(version)&zone=sh001")
    }

    var renew: RequestTemplate { SDK.post("/discovery/renew", form: identity) }
    var cancel: RequestTemplate { SDK.post("/discovery/cancel", form: identity) }
    var fetch: RequestTemplate {
        SDK.get("/discovery/fetch?appid=\(appid)&env=dev&status=1&zone=sh001")
    }
    var fetchs: RequestTemplate {
        SDK.get("/discovery/fetchs?appid=\(appid)&env=dev&status=1&zone=sh001")
    }

    /// A poll of one app: with `since` 0 it has news, with the current timestamp it hangs.
    func polls(since timestamp: Int) -> RequestTemplate {
        SDK.get(
            "/discovery/polls?appid=\(appid)&env=dev&hostname=watcher-{N}"
                + "&latest_timestamp=\(timestamp)")
    }

    private var identity: String {
        "appid=\(appid)&env=dev&hostname=\(hostname)&region=sh&zone=sh001"
    }
}
