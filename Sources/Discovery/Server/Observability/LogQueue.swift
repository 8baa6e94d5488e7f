internal import Dispatch
internal import Synchronization

/// Takes log lines from any thread and writes them from a thread of its own, so that a collector
/// that stops reading stops nobody else.
///
/// Bounded: what comes while `bytesMax` wait is dropped and counted, and the log says so as soon as
/// it can be written again.
final class LogQueue: Sendable {
    private struct State {
        var waiting: [UInt8] = []
        var isWriting = false
        /// Lines dropped since the log last said so, and ever.
        var dropped = 0
        var droppedTotal: UInt64 = 0
    }

    /// Some ten thousand lines.
    static let bytesMax = 1 << 20

    private let write: @Sendable ([UInt8]) -> Void
    private let queue = DispatchQueue(label: "discovery.log")
    private let state = Mutex(State())

    /// `write` may block; it is called by one thread at a time.
    init(write: @escaping @Sendable ([UInt8]) -> Void) { self.write = write }

    /// Lines that were lost because nobody took them.
    var droppedTotal: UInt64 { state.withLock { $0.droppedTotal } }

    /// Hands over one line with its line feed. Never waits.
    func append(_ line: [UInt8]) {
        let starts = state.withLock { state in
            if state.waiting.count + line.count > LogQueue.bytesMax {
                state.dropped += 1
                state.droppedTotal += 1
                return false
            }
            state.waiting += line
            defer { state.isWriting = true }
            return !state.isWriting
        }
        if starts { queue.async { [self] in drain() } }
    }

    /// Waits until what was appended is written, for as long as that; for the end of the program.
    func flush(milliseconds: Int) {
        let done = DispatchSemaphore(value: 0)
        queue.async { done.signal() }
        _ = done.wait(timeout: .now() + .milliseconds(milliseconds))
    }

    private func drain() {
        while let (lines, dropped) = take() {
            write(lines)
            if dropped > 0 {
                write(Array("\(dropped) log lines were dropped: nobody read them\n".utf8))
            }
        }
    }

    private func take() -> (lines: [UInt8], dropped: Int)? {
        state.withLock { state in
            if state.waiting.isEmpty, state.dropped == 0 {
                state.isWriting = false
                return nil
            }
            defer {
                state.waiting = []
                state.dropped = 0
            }
            return (state.waiting, state.dropped)
        }
    }
}
