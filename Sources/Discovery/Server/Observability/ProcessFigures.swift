internal import DiscoveryCore
internal import Glibc

/// What the kernel says about this process.
struct ProcessFigures: Sendable {
    var openFiles = 0
    var openFilesMax = 0
    var residentBytes = 0
    /// User and system, of all threads.
    var cpuMilliseconds: UInt64 = 0

    static func read() -> ProcessFigures {
        var figures = ProcessFigures()
        var limit = rlimit()
        if unsafe getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 {
            figures.openFilesMax = Int(clamping: limit.rlim_cur)
        }
        var usage = rusage()
        if unsafe getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage) == 0 {
            figures.cpuMilliseconds = milliseconds(usage.ru_utime) + milliseconds(usage.ru_stime)
        }
        // Counting needs one itself: when there is none left, all are open.
        figures.openFiles = countOpenFiles() ?? figures.openFilesMax
        figures.residentBytes = readResidentBytes()
        return figures
    }

    private static func milliseconds(_ time: timeval) -> UInt64 {
        UInt64(clamping: time.tv_sec) * 1000 + UInt64(clamping: time.tv_usec) / 1000
    }

    private static func countOpenFiles() -> Int? {
        guard let folder = unsafe opendir("/proc/self/fd") else { return nil }
        defer { unsafe closedir(folder) }
        var count = 0
        while unsafe readdir(folder) != nil { count += 1 }
        // The folder itself, and its entries for itself and its parent.
        return max(0, count - 3)
    }

    /// The second number of `statm`: resident pages.
    private static func readResidentBytes() -> Int {
        let file = unsafe open("/proc/self/statm", O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return 0 }
        defer { close(file) }
        var bytes = [UInt8](repeating: 0, count: 128)
        let count = unsafe Glibc.read(file, &bytes, bytes.count)
        guard count > 0 else { return 0 }
        let fields = bytes[..<count].split(separator: UInt8(ascii: " "))
        guard fields.count > 1 else { return 0 }
        let pages = Int(String(decoding: fields[1], as: UTF8.self)) ?? 0
        return pages * Int(sysconf(Int32(_SC_PAGESIZE)))
    }
}

/// The clocks, read by Server for everybody else.
enum Clocks {
    static var monotonic: UInt64 { nanoseconds(CLOCK_MONOTONIC) }
    static var wall: UInt64 { nanoseconds(CLOCK_REALTIME) }
    static var now: Moment {
        Moment(wall: Int64(clamping: wall), monotonic: Int64(clamping: monotonic))
    }

    private static func nanoseconds(_ clock: clockid_t) -> UInt64 {
        var time = timespec()
        unsafe clock_gettime(clock, &time)
        return UInt64(clamping: time.tv_sec) &* 1_000_000_000 &+ UInt64(clamping: time.tv_nsec)
    }
}
