internal import CLibevent
internal import Glibc

extension EventLoop {
    // MARK: Violations

    /// Acts on the connections that have sent something wrong, once all their good requests have
    /// been answered: an answer to the bad one must not overtake those.
    func settleSuspects() {
        var index = 0
        // A refusal can close connections, but adds no suspects; indexing is safe either way.
        while index < suspects.count {
            settle(suspects[index])
            index += 1
        }
        suspects.removeAll(keepingCapacity: true)
    }

    private func settle(_ connection: Connection) {
        guard connection.isOpen, let violation = connection.violation else { return }
        if connection.isLingering {
            if connection.discardedBytes > limits.lingerBytesMax { close(connection) }
            return
        }
        guard connection.isQuiet, connection.framed == connection.received else { return }
        refuse(connection, violation)
    }

    /// Answers a bad message in place of evhttp and takes the connection over from it.
    ///
    /// A plain close with unread bytes makes the kernel send a reset, which destroys the answer
    /// before the client has read it. So only our side is shut down, and what still comes is thrown
    /// away until the client closes or a limit is reached.
    func refuse(_ connection: Connection, _ violation: Violation) {
        connection.violation = violation
        statistics.rejections.increment(Int(violation.rawValue))
        statistics.repliesByClass.increment(4)
        let bufferevent = unsafe connection.bufferevent
        guard let output = unsafe bufferevent_get_output(bufferevent) else { return }
        unsafe violation.answer(limits).withUnsafeBytes { bytes in
            _ = unsafe evbuffer_add(output, bytes.baseAddress, bytes.count)
        }
        unsafe evbuffer_unfreeze(output, 1)
        // A few hundred bytes at most: a socket that does not take them has a client that does not
        // read, and loses nothing it would have seen.
        unsafe evbuffer_write(output, connection.descriptor)
        unsafe evbuffer_freeze(output, 1)
        shutdown(connection.descriptor, Int32(SHUT_WR))
        connection.isLingering = true
        // evhttp stays the owner of the connection but hears nothing of it any more, also not from
        // a deferred read it may have scheduled (http.c, evhttp_deferred_read_cb checks for NULL).
        let context = unsafe Unmanaged.passUnretained(connection).toOpaque()
        unsafe bufferevent_setcb(bufferevent, nil, nil, lingerOver, context)
        unsafe bufferevent_disable(bufferevent, Int16(EV_WRITE))
        unsafe bufferevent_enable(bufferevent, Int16(EV_READ))
        setDue(connection, .lingerEnd)
    }

    fileprivate func lingerEnded(_ connection: Connection) {
        beginTurn()
        close(connection)
    }

    // MARK: Deadlines

    private static let nanosecondsPerSecond: UInt64 = 1_000_000_000

    /// Whoever is late is noticed within a tenth of the shortest limit, and within one second.
    private var sweepNanoseconds: UInt64 {
        let seconds = min(limits.headSecondsMax, limits.bodySecondsMax, limits.lingerSecondsMax, 10)
        return UInt64(max(1, seconds)) * Self.nanosecondsPerSecond / 10
    }

    /// Sets what has to happen on the connection, and by when.
    func setDue(_ connection: Connection, _ due: Connection.Due) {
        let seconds =
            switch due {
            case .firstByte, .head: limits.headSecondsMax
            case .body: limits.bodySecondsMax
            case .lingerEnd: limits.lingerSecondsMax
            }
        connection.due = due
        connection.dueNanoseconds =
            monotonicNanoseconds + UInt64(max(0, seconds)) * Self.nanosecondsPerSecond
        if connection.isWatched { return }
        connection.isWatched = true
        if watched.isEmpty { timers?.sweep.arm(afterNanoseconds: sweepNanoseconds) }
        watched.append(connection)
    }

    /// Looks through the connections with something due: new ones, and the few in the middle of a
    /// message. O(watched), a few times per second at most, and never while there are none.
    func sweep() {
        beginTurn()
        let now = monotonicNanoseconds
        var waiting: [Connection] = []
        for connection in watched {
            if connection.isOpen, connection.dueNanoseconds > now {
                waiting.append(connection)
                continue
            }
            connection.isWatched = false
            if connection.isOpen, connection.dueNanoseconds != 0 { overdue(connection) }
            // A refusal has something due itself.
            if connection.isWatched { waiting.append(connection) }
        }
        watched = waiting
        if !watched.isEmpty { timers?.sweep.arm(afterNanoseconds: sweepNanoseconds) }
    }

    private func overdue(_ connection: Connection) {
        // Behind a held request or a slow reply reading may be off: the rest of the message may
        // have come long ago. Its clock starts anew until only the client can be at fault.
        let isBehindOthers = !connection.isQuiet || connection.framed != connection.received
        if isBehindOthers, connection.due != .lingerEnd {
            setDue(connection, connection.due)
            return
        }
        connection.dueNanoseconds = 0
        switch connection.due {
        case .firstByte, .lingerEnd: close(connection)
        case .head: suspect(connection, .headNotInTime)
        case .body: suspect(connection, .bodyNotInTime)
        }
    }

    private func suspect(_ connection: Connection, _ violation: Violation) {
        connection.violation = violation
        suspects.append(connection)
    }

    // MARK: Stopping

    /// Answers what is unanswered, lets the replies leave within the limit, then frees everything.
    func shutDown() {
        pauseAccepting(.requested)
        endCalls()
        for connection in connections {
            guard let connection, unsafe connection.request != nil else { continue }
            statistics.unansweredAtStop += 1
            refuse(connection, Self.stoppingHead, Self.stoppingText)
        }
        let end =
            nanoseconds(of: CLOCK_MONOTONIC)
            + UInt64(max(0, limits.stopSecondsMax)) * Self.nanosecondsPerSecond
        while closeQuiet() {
            let now = nanoseconds(of: CLOCK_MONOTONIC)
            if now >= end { break }
            timers?.deadline.arm(afterNanoseconds: end - now)
            unsafe event_base_loop(base.pointer, EVLOOP_ONCE)
        }
        for listener in listeners { listener.close() }
        adoptFresh()
        listeners = []
        watched = []
        suspects = []
        publishStatistics(nanoseconds(of: CLOCK_MONOTONIC))
        close()
    }

    /// Closes the connections on which nothing is under way. True while others remain.
    private func closeQuiet() -> Bool {
        adoptFresh()
        var remain = false
        for connection in connections {
            guard let connection else { continue }
            if connection.isWriting || connection.isLingering {
                remain = true
            } else {
                close(connection)
            }
        }
        return remain
    }
}

private func lingerOver(_: OpaquePointer?, _: Int16, _ context: UnsafeMutableRawPointer?) {
    guard let context = unsafe context else { preconditionFailure("a linger without connection") }
    let connection = unsafe Unmanaged<Connection>.fromOpaque(context).takeUnretainedValue()
    connection.loop.lingerEnded(connection)
}
