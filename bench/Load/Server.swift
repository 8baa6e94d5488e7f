import BenchSupport
import Glibc

/// A server this run started: the node under test or the yardstick. Ends with its owner.
final class Server {
    private static let startMillisecondsMax = 10_000
    /// A node says goodbye to its peers and serves a short drain.
    private static let stopMillisecondsMax: Int32 = 10_000

    let name: String
    let process: pid_t
    private(set) var port: UInt16 = 0
    /// Of a node only.
    private var adminPort: UInt16?
    private let log: TemporaryFile
    /// Files it reads, kept as long as it runs.
    private let files: [TemporaryFile]
    private var running = true

    /// How a server is started.
    struct Launch {
        var name: String
        var arguments: [String]
        var files: [TemporaryFile] = []
        var cores: (first: Int32, count: Int32) = (0, 0)
        /// Text on its output right before its port, and before its admin port if it has one.
        var portMarker: String
        var adminMarker: String?
        /// Library to preload and the file it counts in.
        var preload: (library: String, counter: String)?
    }

    init(_ launch: Launch) throws {
        name = launch.name
        files = launch.files
        log = try TemporaryFile()
        process = try Self.spawn(launch, output: log.descriptor)
        for _ in 0..<Self.startMillisecondsMax {
            let output = contents(of: log.path)
            if let found = output.number(after: launch.portMarker).flatMap(UInt16.init) {
                port = found
                guard let marker = launch.adminMarker else { return }
                adminPort = output.number(after: marker).flatMap(UInt16.init)
                if adminPort != nil { return }
            }
            try checkAlive()
            usleep(1_000)
        }
        throw BenchError("\(name) did not say that it listens within 10 s:\n\(logTail)")
    }

    deinit {
        guard running else { return }
        kill(process, SIGKILL)
        var status: Int32 = 0
        _ = unsafe bench_reap(process, 5_000, &status)
    }

    private static func spawn(_ launch: Launch, output: Int32) throws -> pid_t {
        let arguments = (launch.arguments.joined(separator: "\0") + "\0").utf8
            .map { CChar(bitPattern: $0) }
        let process = unsafe bench_spawn(
            arguments, arguments.count, output, launch.cores.first, launch.cores.count,
            launch.preload?.library, launch.preload?.counter)
        guard process > 0 else { throw BenchError("cannot start \(launch.name): \(-process)") }
        return process
    }

    private func checkAlive() throws {
        var status: Int32 = 0
        guard unsafe bench_reap(process, 0, &status) == 0 else {
            running = false
            throw BenchError("\(name) ended at once:\n\(logTail)")
        }
    }

    /// The last lines it wrote.
    var logTail: String {
        String(decoding: contents(of: log.path).suffix(2_000), as: UTF8.self)
    }

    /// Asks all to end, then waits for each. Throws unless they exit with 0, as an orderly stop
    /// does.
    static func stop(_ servers: [Server]) throws {
        for server in servers { kill(server.process, SIGTERM) }
        for server in servers { try server.waitForEnd() }
    }

    func stop() throws {
        try Self.stop([self])
    }

    private func waitForEnd() throws {
        var status: Int32 = 0
        guard unsafe bench_reap(process, Self.stopMillisecondsMax, &status) == 1 else {
            throw BenchError("\(name) did not stop within 10 s of SIGTERM:\n\(logTail)")
        }
        running = false
        guard status == 0 else {
            throw BenchError("\(name) ended with wait status \(status):\n\(logTail)")
        }
    }

    /// A connection to the admin port of a node.
    var admin: Control {
        get throws {
            guard let adminPort else { throw BenchError("\(name) has no admin port") }
            return Control(port: adminPort)
        }
    }

    func residentBytes() throws -> Int {
        try bench_load.residentBytes(of: process)
    }

    /// CPU time used so far, in nanoseconds.
    func cpuNanoseconds() -> Int64 {
        bench_cpu_nanoseconds(process)
    }
}

/// How the two kinds of server are started.
struct Launcher {
    let options: Options
    let cores = Cores()

    /// A node of the one zone; without `seeds` it has nobody to join. `shared`: one of a cluster's,
    /// which have a core each if there are so many, else all of them the same.
    func node(
        loops: Int = 1, counter: TemporaryFile? = nil, host: String = "bench",
        seeds: [UInt16] = [], shared: Bool = false
    ) throws -> Server {
        let configuration = try TemporaryFile(
            Array(
                """
                enableprotect = false

                [env]
                region = "sh"
                zone = "sh001"
                host = "bench"
                DeployEnv = "dev"

                """.utf8))
        let coreCount =
            shared && cores.fit(servers: Cluster.nodeCount) ? Cluster.nodeCount : loops
        cores.pinGenerator(besides: coreCount)
        return try Server(
            Server.Launch(
                name: "the node",
                arguments: [
                    options.server, "serve", "--config", configuration.path,
                    "--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--loops", "\(loops)",
                    "--zone", "sh001", "--env", "dev", "--host", host,
                ] + seeds.flatMap { ["--node", "127.0.0.1:\($0)"] },
                files: [configuration], cores: cores.forServer(coreCount),
                portMarker: "listening on 127.0.0.1:", adminMarker: "admin on 127.0.0.1:",
                preload: counter.map { (options.mallocCount, $0.path) }))
    }

    /// The yardstick, answering `body` to everything.
    func baseline(
        body: [UInt8], hold: Bool = false, counter: TemporaryFile? = nil
    ) throws -> Server {
        let file = try TemporaryFile(body)
        cores.pinGenerator(besides: 1)
        return try Server(
            Server.Launch(
                name: "the baseline",
                arguments: [
                    options.baseline, "--port", "0", "--body-file", file.path,
                ] + (hold ? ["--hold"] : []),
                files: [file], cores: cores.forServer(1), portMarker: "listening ",
                preload: counter.map { (options.mallocCount, $0.path) }))
    }
}
