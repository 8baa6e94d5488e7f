import Dispatch
import Synchronization
import Testing

@testable import Discovery

@Suite struct LogQueueTests {
    /// Where lines go; closed, it holds its writer up.
    private final class Collector: Sendable {
        let text: Mutex<[UInt8]> = Mutex([])
        let gate = DispatchSemaphore(value: 0)

        var lines: [String] {
            String(decoding: text.withLock { $0 }, as: UTF8.self)
                .split(separator: "\n").map(String.init)
        }
    }

    @Test func `lines come in order and whole`() {
        let collector = Collector()
        let queue = LogQueue { bytes in collector.text.withLock { $0 += bytes } }
        for number in 0..<1_000 { queue.append(Array("line \(number)\n".utf8)) }
        queue.flush(milliseconds: 10_000)
        #expect(collector.lines == (0..<1_000).map { "line \($0)" })
        #expect(queue.droppedTotal == 0)
    }

    @Test func `a collector that stops reading stops nobody, and is told what it missed`() {
        let collector = Collector()
        let queue = LogQueue { bytes in
            collector.gate.wait()
            collector.text.withLock { $0 += bytes }
            collector.gate.signal()
        }
        let line = Array((String(repeating: "x", count: 99) + "\n").utf8)
        for _ in 0..<30_000 { queue.append(line) }
        #expect(queue.droppedTotal > 8_000)
        let dropped = queue.droppedTotal
        collector.gate.signal()
        queue.flush(milliseconds: 10_000)
        let lines = collector.lines
        let told = lines.filter { $0.hasSuffix("log lines were dropped: nobody read them") }
        let counts = told.compactMap { $0.split(separator: " ").first.flatMap { UInt64($0) } }
        #expect(counts.reduce(0, +) == dropped)
        #expect(lines.count - told.count == 30_000 - Int(dropped))
    }
}
