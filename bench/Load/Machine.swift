import Glibc

/// Where and when a run took place: a figure without it means nothing.
struct Machine {
    /// A list in Markdown.
    let description: String
    private let startedAt = now()
    private let busyAtStart = Self.busySeconds()
    private let cores = Cores().usable.count

    init(_ options: Options) {
        description = """
            - machine: \(Self.cpuModel), \(cores) cores usable, Linux \(Self.kernel)
            - commit: \(Self.commit)
            - date: \(Self.date)
            - settings: \(options.summary)
            """
    }

    /// What everything but this run and its servers used of the machine since `init`. More than a
    /// few percent: repeat the run when it is quiet.
    var noise: String {
        let seconds = Double(now() - startedAt) / nanosecondsPerSecond * Double(max(1, cores))
        let others = Self.busySeconds() - busyAtStart - Self.ownSeconds()
        let share = min(1, max(0, others / max(0.01, seconds)))
        return "- other programs used \(decimal(share * 100, places: 0)) % of the machine meanwhile"
    }

    /// Seconds that any core of the machine was not idle, since it was started.
    private static func busySeconds() -> Double {
        let text = String(decoding: contents(of: "/proc/stat"), as: UTF8.self)
        let line = text.prefix { $0 != "\n" }.split(separator: " ").dropFirst().map {
            Double($0) ?? 0
        }
        // user nice system idle iowait irq softirq steal, in hundredths; the guests are in user.
        guard line.count >= 8 else { return 0 }
        return (line[0] + line[1] + line[2] + line[5] + line[6] + line[7]) / 100
    }

    /// Seconds of CPU of this process and of the servers that it has ended.
    private static func ownSeconds() -> Double {
        [RUSAGE_SELF.rawValue, RUSAGE_CHILDREN.rawValue].reduce(0) { sum, who in
            var usage = rusage()
            unsafe getrusage(who, &usage)
            let micros = usage.ru_utime.tv_usec + usage.ru_stime.tv_usec
            return sum + Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) + Double(micros)
                / 1e6
        }
    }

    private static var cpuModel: String {
        field("model name", of: "/proc/cpuinfo") ?? "unknown CPU"
    }

    private static var kernel: String {
        let text = String(decoding: contents(of: "/proc/sys/kernel/osrelease"), as: UTF8.self)
        return String(text.prefix { $0 != "\n" })
    }

    /// Asks git through the shell, as the run may take place outside of any work tree.
    private static var commit: String {
        let command = "git describe --always --dirty --abbrev=12 2>/dev/null"
        guard let pipe = unsafe popen(command, "r") else { return "unknown" }
        var line = [UInt8](repeating: 0, count: 80)
        let count = unsafe fread(&line, 1, line.count, pipe)
        unsafe pclose(pipe)
        let text = String(decoding: line[..<count].prefix { $0 > 0x20 }, as: UTF8.self)
        return text.isEmpty ? "unknown" : text
    }

    private static var date: String {
        var seconds = time(nil)
        var parts = unsafe tm()
        unsafe gmtime_r(&seconds, &parts)
        var text = [CChar](repeating: 0, count: 32)
        let count = unsafe strftime(&text, text.count, "%Y-%m-%d %H:%M UTC", &parts)
        return String(decoding: text[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
