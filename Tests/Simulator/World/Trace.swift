import DiscoveryCore

/// What happened: a number that differs if anything did, and the last lines if somebody wants them.
struct Trace {
    private(set) var digest: UInt64 = 14_695_981_039_346_656_037
    private(set) var lines: [String] = []
    /// Lines are text and cost time: only the second run of a seed that failed keeps any.
    let linesMax: Int

    static let legend = """
             time s  who      what      details
             (n0 n1: nodes of ours, g2: nodes of the reference's kind, p3: providers, w4: watchers;
             v: version in seconds after the epoch of the run, -> sent, <- answer)
        """

    init(linesMax: Int) { self.linesMax = linesMax }

    mutating func fold(_ value: UInt64) {
        digest = (digest ^ value) &* 1_099_511_628_211
    }

    mutating func fold(_ value: Int64) { fold(UInt64(bitPattern: value)) }

    mutating func add(
        _ time: Int64, _ who: @autoclosure () -> String, _ what: String,
        _ details: @autoclosure () -> String
    ) {
        guard linesMax > 0 else { return }
        let line =
            Trace.text(time).padded(to: 11, atEnd: false) + "  " + who().padded(to: 8) + " "
            + what.padded(to: 10) + details()
        lines.append(line)
        if lines.count > 2 * linesMax { lines.removeFirst(linesMax) }
    }

    var lastLines: ArraySlice<String> { lines.suffix(linesMax) }

    /// Seconds with milliseconds, in integers.
    static func text(_ time: Int64) -> String {
        let thousandths = time / Duration.millisecond
        let rest = String(abs(thousandths % 1_000))
        let sign = thousandths < 0 && thousandths > -1_000 ? "-" : ""
        return sign + "\(thousandths / 1_000)."
            + String(repeating: "0", count: 3 - rest.count) + rest
    }

    /// A version as seconds since the epoch of the run, with nanoseconds.
    static func version(_ version: Int64) -> String {
        let rest = String(abs((version - HostClock.epoch) % Duration.millisecond))
        return "v" + text(version - HostClock.epoch)
            + String(repeating: "0", count: 6 - rest.count) + rest
    }
}

extension String {
    func padded(to width: Int, atEnd: Bool = true) -> String {
        let padding = String(repeating: " ", count: max(0, width - count))
        return atEnd ? self + padding : padding + self
    }
}
