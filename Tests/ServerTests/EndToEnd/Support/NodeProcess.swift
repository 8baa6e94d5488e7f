import Foundation

/// A running node: the real program, serving on ports that the system chose.
final class NodeProcess {
    let child: ChildProcess
    /// 0 until it listens.
    private(set) var port: UInt16 = 0
    /// 0 for a node without admin pages.
    private(set) var adminPort: UInt16 = 0
    private let folder: TemporaryFolder?
    private var admin: HTTPClient?
    private var client: HTTPClient?

    static let zone = "sh001"
    static let env = "dev"
    static let host = "node1"

    static let identity = ["--zone", zone, "--env", env, "--host", host]

    /// `settings` is the TOML of a configuration file; `files` limits how many files it may open.
    /// `waits`: until it listens.
    init(
        _ settings: String = "", flags: [String] = [], identity: [String] = identity,
        admin: String = "127.0.0.1:0", loops: Int = 1, files: Int? = nil, waits: Bool = true
    ) throws {
        var words = [
            "serve", "--listen", "127.0.0.1:0", "--admin", admin, "--loops", "\(loops)",
        ]
        words += identity
        folder = settings.isEmpty ? nil : try TemporaryFolder()
        if let folder {
            try folder.write("discovery.toml", settings)
            words += ["--config", folder.path(of: "discovery.toml")]
        }
        child = try Self.start(words + flags, files)
        if !admin.isEmpty { adminPort = Self.port("admin on", child) ?? 0 }
        if waits { try waitUntilListening() }
    }

    func waitUntilListening() throws {
        guard let port = Self.port("listening on", child) else {
            throw Failure("the node does not listen:\n\(child.errors.text)")
        }
        self.port = port
    }

    private static func start(_ words: [String], _ files: Int?) throws -> ChildProcess {
        let program = try ChildProcess.discovery()
        guard let files else { return try ChildProcess(program, words) }
        let script = "ulimit -n \(files); exec \"$0\" \"$@\""
        return try ChildProcess("/bin/sh", ["-c", script, program] + words)
    }

    /// The port at the end of the address that a log line names behind the message.
    private static func port(_ message: String, _ child: ChildProcess) -> UInt16? {
        child.errors.wait(within: 20) { lines in
            for line in lines {
                guard let place = line.firstRange(of: "\(message) 127.0.0.1:") else { continue }
                return UInt16(line[place.upperBound...].prefix { $0.isNumber })
            }
            return nil
        }
    }

    // MARK: Talking to it

    func connect() throws -> HTTPClient { try HTTPClient(port: port) }

    /// On a connection that is kept for this.
    func get(_ target: String, _ headers: [String] = []) throws -> HTTPReply {
        try exchange(HTTPRequest.get(target, headers))
    }

    func post(_ path: String, _ body: String, _ headers: [String] = []) throws -> HTTPReply {
        try exchange(HTTPRequest.post(path, body, headers))
    }

    private func exchange(_ request: String) throws -> HTTPReply {
        let client = try self.client ?? connect()
        self.client = client
        do {
            return try client.exchange(request)
        } catch {
            self.client = nil
            throw error
        }
    }

    func register(_ host: String, _ changes: [(String, String)] = []) throws -> HTTPReply {
        try post("/discovery/register", Form.register(host, changes))
    }

    func adminPage(_ path: String, method: String = "GET") throws -> HTTPReply {
        let client = try admin ?? HTTPClient(port: adminPort)
        admin = client
        do {
            return try client.exchange(
                "\(method) \(path) HTTP/1.1\r\nHost: node\r\n\r\n", toHead: method == "HEAD")
        } catch {
            admin = nil
            throw error
        }
    }

    func metrics() throws -> Metrics { try Metrics(try adminPage("/metrics").text) }

    func metric(_ name: String, _ labels: [String: String] = [:]) throws -> Int {
        try metrics().sum(name, labels)
    }

    /// Whether so many polls are held, at some moment within the time.
    func holds(_ count: Int, within seconds: Double = 10) throws -> Bool {
        try eventually(within: seconds) { try metric("discovery_pollers") == count }
    }

    // MARK: Ending it

    /// Stops it until SIGCONT, and returns when it does nothing any more: its threads stop one
    /// after the other, the last of them late on a busy machine.
    func pause() throws {
        child.send(SIGSTOP)
        let tasks = "/proc/\(child.id)/task"
        let hasStopped = try eventually {
            try FileManager.default.contentsOfDirectory(atPath: tasks).allSatisfy { task in
                let text = try String(contentsOfFile: "\(tasks)/\(task)/stat", encoding: .utf8)
                return text.drop { $0 != ")" }.dropFirst(2).first == "T"
            }
        }
        if !hasStopped { throw Failure("it does not stop") }
    }

    func stop(_ signal: Int32 = SIGTERM, within seconds: Double = 10) -> ChildProcess.Ending {
        child.send(signal)
        return child.waitForEnd(within: seconds)
    }

    /// Processor time that it used so far, user and system, in milliseconds.
    func processorMilliseconds() throws -> Int {
        let text = try String(contentsOfFile: "/proc/\(child.id)/stat", encoding: .utf8)
        // The name in parentheses may hold spaces; behind it the 12th and the 13th field count.
        let fields = text.drop { $0 != ")" }.split(separator: " ")
        guard fields.count > 13, let user = Int(fields[12]), let system = Int(fields[13]) else {
            throw Failure("unreadable: \(text)")
        }
        return (user + system) * 1000 / Int(sysconf(Int32(_SC_CLK_TCK)))
    }
}
