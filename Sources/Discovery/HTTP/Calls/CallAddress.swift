/// One host and port that is called: the calls that wait, and the connections. Loop thread only.
final class CallAddress {
    struct Key: Hashable {
        let host: String
        let port: UInt16
    }

    let key: Key
    unowned let pool: CallPool
    private var queue = CallQueue()
    /// At most `HTTPLimits.callConnectionsMax`.
    private var connections: [CallConnection] = []

    init(_ key: Key, pool: CallPool) {
        self.key = key
        self.pool = pool
    }

    var isEmpty: Bool { queue.count == 0 && connections.isEmpty }

    private var limits: HTTPLimits { pool.loop.limits }

    func add(_ pending: PendingCall) {
        queue.append(pending)
        advance()
        guard queue.count > limits.callsMax, let last = queue.removeLast() else { return }
        pool.fail(last, .tooManyCalls)
    }

    /// Sends as many of the waiting calls as there are connections for, and may be.
    func advance() {
        while let next = queue.first {
            let idle = connections.last { $0.phase == .idle }
            if let idle, !next.isRetry {
                if let pending = queue.removeFirst() { idle.send(pending) }
            } else if connections.count < max(1, limits.callConnectionsMax) {
                if !dialForNext() { return }
            } else if let idle {
                // Not for a retry: it may be as dead as the one before.
                idle.close()
            } else {
                return
            }
        }
    }

    /// Opens a connection for the first call. False when it is not known yet where the host is, or
    /// cannot be known: all that wait have failed then.
    private func dialForNext() -> Bool {
        switch pool.location(of: key) {
        case .pending: return false
        case .failed(let reason):
            while let pending = queue.removeFirst() {
                pool.fail(pending, .cannotResolve(reason: reason))
            }
            return false
        case .known(let candidates):
            guard let pending = queue.removeFirst() else { return false }
            let connection = CallConnection(self, candidates: candidates, for: pending)
            connections.append(connection)
            pool.loop.statistics.callConnections += 1
            connection.dial()
            return true
        }
    }

    // MARK: From connections

    /// The call was sent on a connection that the other side had closed.
    func retry(_ pending: PendingCall) {
        pool.loop.statistics.callRetries &+= 1
        var pending = pending
        pending.isRetry = true
        queue.prepend(pending)
    }

    /// The other side has closed an idle connection.
    func hungUp() { pool.hungUp(key) }

    func remove(_ connection: CallConnection) {
        connections.removeAll { $0 === connection }
        pool.loop.statistics.callConnections -= 1
    }

    // MARK: Time

    func sweep(at now: UInt64) {
        for pending in queue.removeOverdue(at: now) { pool.fail(pending, .timedOut) }
        for connection in connections { connection.sweep(at: now) }
        advance()
    }

    var dueNanoseconds: UInt64? {
        var due = queue.dueNanoseconds
        for connection in connections { due = min(due ?? .max, connection.dueNanoseconds) }
        return due
    }

    func end() {
        while let pending = queue.removeFirst() { pool.fail(pending, .stopped) }
        for connection in connections { connection.fail(.stopped) }
    }
}
