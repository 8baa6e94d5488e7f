import Glibc
import Histogram

/// How a figure stands to what is to be reached.
enum Verdict: String {
    case reached
    case missed
    /// Measured, but nothing is promised about it.
    case shown = "-"
    case notMeasured = "not measured"
    case failed
}

/// One line of the table.
struct Row {
    var what: String
    var reach: String
    var measured: String
    var ratio = "-"
    var latency = "-"
    var verdict: Verdict

    static let head = """
        | what | reach | measured | ratio | p50 p99 p99.9 | verdict |
        |---|---|---|---|---|---|
        """

    var markdown: String {
        "| \(what) | \(reach) | \(measured) | \(ratio) | \(latency) | \(verdict.rawValue) |"
    }
}

/// Two decimals, without Foundation.
func decimal(_ value: Double, places: Int = 2) -> String {
    guard value.isFinite, abs(value) < 1e12 else { return "?" }
    var scale = 1
    for _ in 0..<places { scale *= 10 }
    let scaled = Int((abs(value) * Double(scale)).rounded())
    let sign = value < 0 ? "-" : ""
    guard places > 0 else { return "\(sign)\(scaled)" }
    let fraction = String(scaled % scale)
    let padding = String(repeating: "0", count: places - fraction.count)
    return "\(sign)\(scaled / scale).\(padding)\(fraction)"
}

/// Nanoseconds in the unit that reads best.
func duration(_ nanoseconds: Double) -> String {
    if nanoseconds < 1e5 { return decimal(nanoseconds / 1e3, places: 1) + " us" }
    if nanoseconds < 1e6 { return decimal(nanoseconds / 1e3, places: 0) + " us" }
    return decimal(nanoseconds / 1e6, places: nanoseconds < 1e8 ? 1 : 0) + " ms"
}

/// Bytes in kilobytes of 1,024.
func kilobytes(_ bytes: Double) -> String {
    decimal(bytes / 1024) + " KB"
}

func percentiles(_ histogram: Histogram<UInt64>) -> String {
    [50, 99, 99.9].map { duration(Double(histogram.valueAtPercentile($0))) }
        .joined(separator: ", ")
}

/// The middle value; of an even count the mean of the middle two. 0 of none.
func median(_ values: [Double]) -> Double {
    let sorted = values.sorted()
    guard !sorted.isEmpty else { return 0 }
    let middle = sorted.count / 2
    return sorted.count % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2
}

/// A ratio with the range of its rounds: a wide range says that the machine was busy.
func spread(_ ratios: [Double]) -> String {
    guard let low = ratios.min(), let high = ratios.max() else { return "-" }
    return "\(decimal(median(ratios))) (\(decimal(low))..\(decimal(high)))"
}
