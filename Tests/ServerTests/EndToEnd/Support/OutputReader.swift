import Foundation
import Synchronization

/// Reads a child's output up to its end, in a thread of its own, so that the child never waits for
/// somebody to read.
final class OutputReader: Sendable {
    private struct State {
        var bytes: [UInt8] = []
        var isEnded = false
        var isStopped = false
    }

    private let state = Mutex(State())
    /// Signalled with every piece and at the end.
    private let changed = DispatchSemaphore(value: 0)

    /// Takes the descriptor over.
    init(_ descriptor: Int32) {
        Thread.detachNewThread { [self] in readAll(descriptor) }
    }

    var text: String { String(decoding: state.withLock { $0.bytes }, as: UTF8.self) }

    var lines: [String] { text.split(separator: "\n").map(String.init) }

    /// What `find` makes of the output, once it makes something of it; nil when the output ended or
    /// the time ran out without.
    func wait<Found>(within seconds: Double, for find: ([String]) -> Found?) -> Found? {
        let end = DispatchTime.now() + seconds
        while true {
            let isEnded = state.withLock { $0.isEnded }
            if let found = find(lines) { return found }
            if isEnded || changed.wait(timeout: end) == .timedOut { return nil }
        }
    }

    /// Reads one piece more at the most, and leaves the pipe open: a collector that hangs.
    func stopReading() { state.withLock { $0.isStopped = true } }

    /// False when the time ran out before the child closed its output.
    func waitForEnd(within seconds: Double) -> Bool {
        let end = DispatchTime.now() + seconds
        while !state.withLock({ $0.isEnded }) {
            if changed.wait(timeout: end) == .timedOut { return false }
        }
        return true
    }

    private func readAll(_ descriptor: Int32) {
        var piece = [UInt8](repeating: 0, count: 65_536)
        while !state.withLock({ $0.isStopped }) {
            let count = unsafe read(descriptor, &piece, piece.count)
            if count < 0, errno == EINTR { continue }
            if count <= 0 {
                close(descriptor)
                break
            }
            state.withLock { $0.bytes += piece[..<count] }
            changed.signal()
        }
        state.withLock { $0.isEnded = true }
        changed.signal()
    }
}
