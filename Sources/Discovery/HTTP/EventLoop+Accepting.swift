internal import CLibevent
internal import Glibc

/// Why a loop does not accept at the moment; it does while the set is empty.
struct AcceptPause: OptionSet {
    let rawValue: UInt8
    static let connectionsMax = AcceptPause(rawValue: 1)
    static let descriptors = AcceptPause(rawValue: 2)
    static let requested = AcceptPause(rawValue: 4)
}

extension EventLoop {
    /// After running out of descriptors, accepting is tried again so much later.
    private static let acceptRetryNanoseconds: UInt64 = 100_000_000

    // MARK: Pausing

    func pauseAccepting(_ reason: AcceptPause) {
        if accepting.contains(reason) { return }
        if reason == .connectionsMax { statistics.pausesAtConnectionsMax += 1 }
        if reason == .descriptors { statistics.pausesWithoutDescriptors += 1 }
        accepting.insert(reason)
        applyPause()
    }

    private func applyPause() {
        for listener in listeners {
            let reasons = listener.isReserved ? accepting.subtracting(.connectionsMax) : accepting
            listener.setAccepting(reasons.isEmpty)
        }
    }

    /// Makes those listen that were left for later.
    func openListeners() -> Bool {
        for listener in listeners where !listener.isListening {
            do throws(LoopError) {
                try listener.open()
            } catch {
                statistics.listenersNotOpened += 1
                LibeventLog.write(.error, "\(error)")
            }
        }
        applyPause()
        return listeners.allSatisfy(\.isListening)
    }

    func resumeAccepting(_ reason: AcceptPause) {
        beginTurn()
        if !accepting.contains(reason) { return }
        accepting.remove(reason)
        applyPause()
    }

    /// libevent 2.1.12, listener.c: without this callback it would warn and be called again at
    /// once, for as long as the descriptors are used up.
    func acceptFailed() {
        beginTurn()
        pauseAccepting(.descriptors)
        timers?.accept.arm(afterNanoseconds: Self.acceptRetryNanoseconds)
    }

    func resumeBelowConnectionsMax() {
        if statistics.connectionsOpen < limits.connectionsMax {
            resumeAccepting(.connectionsMax)
        }
    }

    // MARK: New connections

    /// Makes the bufferevent for a connection evhttp is about to set up, with the frame guard in
    /// front of it. nil when memory ran out: evhttp then makes one of its own, without a guard, and
    /// `received` closes that connection as unknown.
    func accepted(by listener: Int32) -> OpaquePointer? {
        beginTurn()
        guard
            let bufferevent = unsafe bufferevent_socket_new(
                base.pointer, -1, Int32(BEV_OPT_CLOSE_ON_FREE.rawValue))
        else { return nil }
        let connection = unsafe Connection(
            loop: self, listener: listener, bufferevent: bufferevent, limits: limits)
        // Unretained is sound: the loop keeps the connection in `fresh` or `connections` until
        // `connectionClosed`, and that removes this callback.
        let context = unsafe Unmanaged.passUnretained(connection).toOpaque()
        let input = unsafe bufferevent_get_input(bufferevent)
        unsafe evbuffer_add_cb(input, inputChanged, context)
        unsafe bufferevent_set_timeouts(bufferevent, base.idleTimeout, base.writeTimeout)
        // The default of 16 KiB per event would chop a large reply into many turns.
        unsafe bufferevent_set_max_single_write(bufferevent, Self.singleWriteBytesMax)
        unsafe bufferevent_incref(bufferevent)
        fresh.append(connection)
        statistics.connectionsAccepted += 1
        statistics.connectionsOpen += 1
        if statistics.connectionsOpen >= limits.connectionsMax { pauseAccepting(.connectionsMax) }
        return unsafe bufferevent
    }

    private static let singleWriteBytesMax = 1 << 20

    /// Ends the time in which the connections accepted in this turn are known to evhttp alone.
    func adoptFresh() {
        while let connection = fresh.popLast() {
            // Bytes in a later round of the same turn adopt it early; it may be closed by now.
            if !connection.isAdopted { adopt(connection) }
            unsafe bufferevent_decref(connection.bufferevent)
        }
    }

    /// Finds the evhttp connection of a bufferevent: evhttp 2.1.12 has no callback for new ones,
    /// but it makes itself the context of the bufferevent's callbacks
    /// (http.c, evhttp_connection_base_bufferevent_new), and clears it when it gives up
    /// (bufferevent.c, bufferevent_free). Our own reference keeps the bufferevent until then.
    func adopt(_ connection: Connection) {
        var context: UnsafeMutableRawPointer?
        unsafe bufferevent_getcb(connection.bufferevent, nil, nil, nil, &context)
        guard let context = unsafe context else {
            forgetInput(of: connection)
            statistics.connectionsClosed += 1
            statistics.connectionsOpen -= 1
            return
        }
        let evhttpConnection = OpaquePointer(context)
        let descriptor = unsafe bufferevent_getfd(connection.bufferevent)
        precondition(
            (0...Ticket.descriptorMax).contains(descriptor), "descriptor out of a ticket's range")
        unsafe connection.evhttpConnection = evhttpConnection
        connection.descriptor = descriptor
        while connections.count <= Int(descriptor) { connections.append(nil) }
        assert(connections[Int(descriptor)] == nil, "two connections on one descriptor")
        connections[Int(descriptor)] = connection
        // Unretained is sound: the callback runs once, and takes the connection out of the table.
        unsafe evhttp_connection_set_closecb(
            evhttpConnection, connectionDown, Unmanaged.passUnretained(connection).toOpaque())
        setDue(connection, .firstByte)
    }

    private func forgetInput(of connection: Connection) {
        let context = unsafe Unmanaged.passUnretained(connection).toOpaque()
        let input = unsafe bufferevent_get_input(connection.bufferevent)
        unsafe evbuffer_remove_cb(input, inputChanged, context)
    }

    // MARK: Closed connections

    /// Called from inside evhttp_connection_free, for whatever reason, so it must not call evhttp.
    fileprivate func connectionClosed(_ connection: Connection) {
        beginTurn()
        forgetInput(of: connection)
        unsafe connection.evhttpConnection = nil
        connection.dueNanoseconds = 0
        connections[Int(connection.descriptor)] = nil
        statistics.connectionsClosed += 1
        statistics.connectionsOpen -= 1
        guard let request = unsafe connection.request else { return }
        unsafe connection.request = nil
        unpark(connection)
        statistics.hangUps += 1
        departed.append(connection.ticket)
        // libevent 2.1.12, http.c, evhttp_connection_incoming_fail: at an EOF or an error, an
        // unanswered request is taken off its connection and left to its receiver. At any other end
        // of the connection evhttp frees it itself.
        if unsafe evhttp_request_get_connection(request) == nil {
            unsafe detached.append(request)
        }
    }

    /// Closes at once; what is unsent is lost.
    func close(_ connection: Connection) {
        guard let evhttpConnection = unsafe connection.evhttpConnection else { return }
        unsafe evhttp_connection_free(evhttpConnection)
    }
}

private func connectionDown(_: OpaquePointer?, _ context: UnsafeMutableRawPointer?) {
    guard let context = unsafe context else { preconditionFailure("a close without connection") }
    let connection = unsafe Unmanaged<Connection>.fromOpaque(context).takeUnretainedValue()
    connection.loop.connectionClosed(connection)
}
