internal import DiscoveryHTTP
internal import DiscoveryWire
import Glibc

/// The registration of a program that another one runs. Nothing here throws: the program goes on
/// whatever the registry does, and what went wrong is told once.
final class Registered {
    private let caller: NodeCaller
    private let key: [(String, String)]
    private let content: [(String, String)]
    /// Where the program has to listen before it is shown to anybody.
    private let port: Endpoint?
    private var isRegistered = false
    private var complaint = ""

    init(_ run: RunCommand, _ caller: NodeCaller) throws(CommandFailure) {
        self.caller = caller
        key = try run.instance.fields()
        content =
            [("version", run.version), ("metadata", Pair.json(run.meta))]
            + run.addr.map { ("addrs", $0) }
        guard let first = run.addr.first, let scheme = first.firstRange(of: "://"),
            let end = Endpoint(
                String(first[scheme.upperBound...].prefix { $0 != "/" && $0 != "?" }))
        else {
            throw .broken(
                "--addr: found \"\(run.addr.first ?? "")\", allowed is an address like "
                    + "\"http://10.0.0.1:8080\"")
        }
        port = end
    }

    /// Whether the program takes connections already.
    func acceptsConnections() -> Bool {
        guard let port else { return true }
        return Probe.accepts(port)
    }

    /// Whether the registry has it.
    func register() -> Bool {
        isRegistered = post(.register, key + content + [("status", "1")]) == 0
        return isRegistered
    }

    func renew() {
        if post(.renew, key) == -404 { _ = register() }
    }

    /// Consumers do not see it from now on.
    func drain() { _ = post(.set, key + [("status", "2")]) }

    func cancel() {
        if isRegistered { _ = post(.cancel, key) }
        isRegistered = false
    }

    private func post(_ route: Route, _ fields: [(String, String)]) -> Int? {
        var failure = ""
        var code: Int?
        do throws(CommandFailure) {
            let answer = try caller.post(route, fields, seconds: 3)
            code = answer.code
            if answer.code != 0, answer.code != -404 {
                failure = "\(CommandFailure.refused(code: answer.code, message: answer.message))"
            }
        } catch {
            failure = "\(error)"
        }
        if failure != complaint, !failure.isEmpty {
            StandardStream.error.write(line: "discovery run: \(route.name): \(failure)")
        }
        complaint = failure
        return code
    }
}

/// Tries a connection.
enum Probe {
    static func accepts(_ address: Endpoint) -> Bool {
        var hints = unsafe addrinfo()
        unsafe hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        guard unsafe getaddrinfo(address.host, "\(address.port)", &hints, &found) == 0 else {
            return false
        }
        defer { unsafe freeaddrinfo(found) }
        var next = unsafe found
        while let entry = unsafe next {
            let descriptor = unsafe socket(
                entry.pointee.ai_family, entry.pointee.ai_socktype | Int32(SOCK_CLOEXEC.rawValue), 0
            )
            guard descriptor >= 0 else { return false }
            defer { close(descriptor) }
            if unsafe connect(descriptor, entry.pointee.ai_addr, entry.pointee.ai_addrlen) == 0 {
                return true
            }
            unsafe next = entry.pointee.ai_next
        }
        return false
    }
}
