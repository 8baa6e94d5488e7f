import BenchSupport
import Glibc

/// Why a run is not valid. Every wrong answer ends in one: figures of wrong answers are worthless.
struct BenchError: Error, CustomStringConvertible {
    /// A sentence for the person at the terminal.
    let description: String

    init(_ description: String) {
        self.description = description
    }
}

/// Monotonic time in nanoseconds.
func now() -> Int64 {
    bench_now()
}

/// Nanoseconds in a second, to keep the unit visible where seconds come from an option.
let nanosecondsPerSecond: Double = 1e9

/// What the tool says: results on standard output, progress on standard error.
enum Console {
    static func result(_ line: String) {
        put(line, on: STDOUT_FILENO)
    }

    static func progress(_ line: String) {
        put("bench-load: " + line, on: STDERR_FILENO)
    }

    private static func put(_ line: String, on descriptor: Int32) {
        let bytes = Array((line + "\n").utf8)
        // A reader that went away is no reason to stop measuring.
        _ = unsafe write(descriptor, bytes, bytes.count)
    }
}

/// A file in TMPDIR that is gone when its owner is, and at the latest when the process ends.
final class TemporaryFile {
    /// Bounds the path, terminator included.
    private static let pathBytesMax = 256

    let path: String
    let descriptor: Int32

    init(_ content: [UInt8] = []) throws {
        var path = [CChar](repeating: 0, count: Self.pathBytesMax)
        descriptor = unsafe bench_temporary_file(&path, Self.pathBytesMax)
        self.path = String(
            decoding: path.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        guard descriptor >= 0 else {
            throw BenchError("cannot make a temporary file: errno \(-descriptor)")
        }
        guard unsafe write(descriptor, content, content.count) == content.count else {
            throw BenchError("cannot write \(path)")
        }
    }

    deinit {
        close(descriptor)
        unsafe bench_remove_file(path)
    }
}

/// The whole content of a small file, or nothing when it cannot be read.
func contents(of path: String) -> [UInt8] {
    let descriptor = unsafe open(path, O_RDONLY)
    guard descriptor >= 0 else { return [] }
    defer { close(descriptor) }
    var content: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 16_384)
    while true {
        let count = unsafe read(descriptor, &chunk, chunk.count)
        guard count > 0 else { return content }
        content.append(contentsOf: chunk[..<count])
    }
}

/// The first line of a `key: value` file whose key is `key`, without key and blanks.
func field(_ key: String, of path: String) -> String? {
    let text = String(decoding: contents(of: path), as: UTF8.self)
    for line in text.split(separator: "\n") where line.hasPrefix(key) {
        guard let colon = line.firstIndex(of: ":") else { continue }
        return String(line[line.index(after: colon)...].drop { $0 == " " || $0 == "\t" })
    }
    return nil
}

/// Resident memory of a process in bytes.
func residentBytes(of process: pid_t) throws -> Int {
    guard let text = field("VmRSS", of: "/proc/\(process)/status"),
        let kibibytes = Int(text.prefix { $0.isNumber })
    else { throw BenchError("cannot read the memory of process \(process)") }
    return kibibytes * 1024
}

/// The cores this run may use, and who gets which.
struct Cores {
    /// Enough for any machine this runs on; more cores are counted but not listed.
    private static let listedMax = 1024

    /// Core numbers, ascending.
    let usable: [Int32]

    init() {
        var cores = [Int32](repeating: 0, count: Self.listedMax)
        let count = unsafe bench_cores(&cores, Int32(Self.listedMax))
        usable = Array(cores.prefix(Int(count)))
    }

    /// Whether `servers` cores and one more for the generator exist, side by side from the first.
    func fit(servers: Int) -> Bool {
        guard usable.count > servers, let first = usable.first else { return false }
        return usable[servers - 1] == first + Int32(servers - 1)
    }

    /// Keeps this process off the servers' cores. Does nothing when there are too few.
    func pinGenerator(besides servers: Int) {
        guard fit(servers: servers) else { return }
        _ = bench_pin(usable[servers], 1)
    }

    /// First core and count for a server, count 0 when it cannot be pinned.
    func forServer(_ servers: Int) -> (first: Int32, count: Int32) {
        guard fit(servers: servers), let first = usable.first else { return (0, 0) }
        return (first, Int32(servers))
    }
}
