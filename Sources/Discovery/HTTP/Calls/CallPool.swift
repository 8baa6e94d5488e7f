/// All calls a loop makes: their addresses, connections, deadlines and outcomes. Loop thread only.
///
/// Not evhttp's client. In libevent 2.1.12 it takes bytes behind a reply, and the reply behind an
/// interim one other than 100, for the reply to the next request (http.c, evhttp_start_read_,
/// evhttp_read_header); it takes the first of two Content-Lengths; its timeout starts anew with
/// every read; it resolves names on the loop; it loses the error of a connect; and it ends the
/// process in states it holds for impossible (evhttp_read_cb). So a call is a bufferevent and a
/// `ReplyReader`.
@safe final class CallPool {
    unowned let loop: EventLoop
    /// In the order of their first call, so that what happens does not depend on a hash. One lives
    /// while it has a call or a connection: it is for the caller to call a bounded number.
    private var addresses: [CallAddress] = []
    private var byKey: [CallAddress.Key: CallAddress] = [:]
    private var names = NameCache()
    /// Of this turn, not yet told. Bounded by the calls that were allowed to wait.
    private var outcomes: [CallOutcome] = []
    private let timer: LoopTimer
    /// What the timer is set for.
    private var armedNanoseconds: UInt64?
    private var hasEnded = false

    enum CallOutcome {
        case answered(UInt64, ReplyReader)
        case failed(UInt64, CallFailure)
        case hungUp(CallAddress.Key)
    }

    /// Deadlines are kept to within so much; a sweep looks at every call.
    private static let sweepNanosecondsMin: UInt64 = 10_000_000

    init(_ loop: EventLoop) throws(LoopError) {
        self.loop = loop
        timer = try LoopTimer(loop.base) { [unowned loop] in
            loop.beginTurn()
            loop.calls?.sweep()
        }
    }

    /// Makes the call, or has it wait. After `end` it is dropped.
    func start(_ call: OutgoingCall) {
        call.preconditionSendable()
        if hasEnded { return }
        loop.statistics.calls &+= 1
        let pending = PendingCall(
            call: call,
            deadlineNanoseconds: deadline(afterMilliseconds: call.timeoutMilliseconds))
        note(dueNanoseconds: pending.deadlineNanoseconds)
        address(CallAddress.Key(host: call.host, port: call.port)).add(pending)
    }

    private func address(_ key: CallAddress.Key) -> CallAddress {
        if let known = byKey[key] { return known }
        let address = CallAddress(key, pool: self)
        addresses.append(address)
        byKey[key] = address
        return address
    }

    // MARK: Outcomes

    func succeed(_ pending: PendingCall, _ reader: ReplyReader) {
        outcomes.append(.answered(pending.call.id, reader))
    }

    func fail(_ pending: PendingCall, _ failure: CallFailure) {
        loop.statistics.callsFailed &+= 1
        outcomes.append(.failed(pending.call.id, failure))
    }

    func hungUp(_ key: CallAddress.Key) { outcomes.append(.hungUp(key)) }

    var hasOutcomes: Bool { !outcomes.isEmpty }

    /// What has come of calls since the last time. Nothing points to an address at this time but
    /// the pool, so those of no use any more go.
    func takeOutcomes() -> [CallOutcome] {
        addresses.removeAll { address in
            if !address.isEmpty { return false }
            byKey[address.key] = nil
            return true
        }
        let taken = outcomes
        outcomes.removeAll()
        return taken
    }

    // MARK: Names

    enum Location {
        case known([SocketAddress])
        case pending
        case failed(reason: String)
    }

    /// Where a host is, if that is known already.
    func location(of key: CallAddress.Key) -> Location {
        if let literal = SocketAddress(literal: key.host, port: key.port) {
            return .known([literal])
        }
        // It would go into the Host header too.
        guard key.host.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F }) else {
            return .failed(reason: "a name has neither blanks nor control bytes")
        }
        let now = loop.monotonicNanoseconds
        switch names.state(of: key.host, at: now) {
        case .pending: return .pending
        case .failed(let reason, _): return .failed(reason: reason)
        case .found(let literals, _):
            return .known(literals.compactMap { SocketAddress(literal: $0, port: key.port) })
        case nil:
            guard NameResolver.shared.resolve(key.host, for: loop.handle) else {
                return .failed(reason: "too many names are being looked up")
            }
            names.ask(key.host, at: now)
            return .pending
        }
    }

    func resolved(_ name: ResolvedName) {
        names.answer(name, at: loop.monotonicNanoseconds)
        for address in addresses where address.key.host == name.host { address.advance() }
    }

    // MARK: Time

    /// A day is for ever.
    private static let millisecondsMax = 86_400_000

    func deadline(afterMilliseconds milliseconds: Int) -> UInt64 {
        let limited = min(max(0, milliseconds), Self.millisecondsMax)
        return loop.monotonicNanoseconds + UInt64(limited) * 1_000_000
    }

    /// Something has to happen by then.
    func note(dueNanoseconds due: UInt64) {
        if let armedNanoseconds, armedNanoseconds <= due { return }
        armedNanoseconds = due
        let now = loop.monotonicNanoseconds
        timer.arm(afterNanoseconds: due > now ? due - now : 0)
    }

    /// One timer for everything with a deadline: O(calls) when the first of them is due, nothing
    /// for a call that ends in time.
    fileprivate func sweep() {
        armedNanoseconds = nil
        let now = loop.monotonicNanoseconds
        var next: UInt64?
        for address in addresses {
            address.sweep(at: now)
            if let due = address.dueNanoseconds { next = min(next ?? .max, due) }
        }
        if let next { note(dueNanoseconds: max(next, now + Self.sweepNanosecondsMin)) }
    }

    // MARK: The end

    /// Fails what is under way and closes everything; the outcomes are still to be told.
    func end() {
        hasEnded = true
        for address in addresses { address.end() }
        timer.close()
    }
}
