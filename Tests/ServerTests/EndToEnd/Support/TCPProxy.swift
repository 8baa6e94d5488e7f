import Foundation
import Synchronization

/// A way to a node that can be disturbed while it is used.
final class TCPProxy {
    enum Mode: Equatable {
        case open
        /// Everything arrives so much later than it was sent.
        case slow(milliseconds: Int)
        /// Accepts, and passes nothing on: half-open peers, and packets that get lost.
        case stalled
        /// Requests arrive, their answers do not.
        case oneWay
        /// Ends all connections at once, and every new one.
        case broken
    }

    private final class Shared: Sendable {
        let mode = Mutex(Mode.open)
        /// Signalled once for each new mode.
        let isApplied = DispatchSemaphore(value: 0)
        let isEnded = Mutex(false)
    }

    let port: UInt16
    private let shared = Shared()

    init(to target: UInt16) throws {
        let (listener, port) = try LoopbackSocket.listen()
        self.port = port
        let shared = shared
        Thread.detachNewThread {
            let connections = Connections(listener: listener, target: target)
            var current = Mode.open
            while !shared.isEnded.withLock({ $0 }) {
                let mode = shared.mode.withLock { $0 }
                if mode != current { shared.isApplied.signal() }
                current = mode
                connections.advance(mode)
            }
        }
    }

    deinit { shared.isEnded.withLock { $0 = true } }

    var address: String { "127.0.0.1:\(port)" }

    /// In effect when this returns.
    func set(_ mode: Mode) {
        let isNew = shared.mode.withLock { current in
            defer { current = mode }
            return current != mode
        }
        if isNew { shared.isApplied.wait() }
    }

    /// Thread of the proxy only.
    private final class Connections {
        private final class Pair {
            /// The caller's and the node's.
            let ends: [Int32]
            /// What was read of each and not passed on yet.
            var pending: [[UInt8]] = [[], []]
            /// When that may be passed on.
            var due = [ContinuousClock.now, ContinuousClock.now]
            var hasEnded = [false, false]

            init(_ ends: [Int32]) { self.ends = ends }
        }

        private let listener: Int32
        private let target: UInt16
        private var pairs: [Pair] = []

        static let waitMilliseconds: Int32 = 10
        private static let pairsMax = 1_000

        init(listener: Int32, target: UInt16) {
            self.listener = listener
            self.target = target
        }

        deinit {
            for pair in pairs { pair.ends.forEach { close($0) } }
            close(listener)
        }

        func advance(_ mode: Mode) {
            if mode == .broken {
                for pair in pairs { pair.ends.forEach { LoopbackSocket.reset($0) } }
                pairs = []
            }
            wait(mode)
            while pairs.count < Self.pairsMax {
                let caller = LoopbackSocket.accept(listener)
                if caller < 0 { break }
                if mode == .broken {
                    LoopbackSocket.reset(caller)
                } else {
                    pairs.append(Pair([caller, LoopbackSocket.connect(port: target)]))
                }
            }
            pairs.removeAll { pair in
                let isOver = sides(mode).contains { !pump(pair, from: $0, mode) }
                if isOver {
                    pair.ends.forEach { LoopbackSocket.reset($0) }
                } else if pair.hasEnded == [true, true] {
                    pair.ends.forEach { close($0) }
                } else {
                    return false
                }
                return true
            }
        }

        /// The sides that are listened to.
        private func sides(_ mode: Mode) -> [Int] {
            switch mode {
            case .open, .slow: [0, 1]
            case .oneWay: [0]
            case .stalled, .broken: []
            }
        }

        private func wait(_ mode: Mode) {
            var entries = [pollfd(fd: listener, events: Int16(POLLIN), revents: 0)]
            for pair in pairs {
                for side in sides(mode) {
                    if !pair.pending[side].isEmpty {
                        guard pair.due[side] <= .now else { continue }
                        let events = Int16(POLLOUT)
                        entries.append(pollfd(fd: pair.ends[1 - side], events: events, revents: 0))
                    } else if !pair.hasEnded[side] {
                        let events = Int16(POLLIN)
                        entries.append(pollfd(fd: pair.ends[side], events: events, revents: 0))
                    }
                }
            }
            _ = unsafe poll(&entries, nfds_t(entries.count), Self.waitMilliseconds)
        }

        /// False when one of the ends has broken.
        private func pump(_ pair: Pair, from side: Int, _ mode: Mode) -> Bool {
            let (source, sink) = (pair.ends[side], pair.ends[1 - side])
            if pair.pending[side].isEmpty, !pair.hasEnded[side] {
                var piece = [UInt8](repeating: 0, count: 65_536)
                let count = unsafe recv(source, &piece, piece.count, 0)
                if count < 0 { return isWaiting }
                pair.hasEnded[side] = count == 0
                if count == 0 { shutdown(sink, Int32(SHUT_WR)) }
                pair.pending[side] = Array(piece[..<count])
                if case .slow(let delay) = mode { pair.due[side] = .now + .milliseconds(delay) }
            }
            if pair.pending[side].isEmpty || pair.due[side] > .now { return true }
            let sent = unsafe send(
                sink, pair.pending[side], pair.pending[side].count,
                Int32(truncatingIfNeeded: MSG_NOSIGNAL))
            if sent < 0 { return isWaiting }
            pair.pending[side].removeFirst(sent)
            return true
        }

        private var isWaiting: Bool { [EAGAIN, EINTR, EINPROGRESS, ENOTCONN].contains(errno) }
    }
}
