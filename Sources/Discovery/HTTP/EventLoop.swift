internal import CLibevent
internal import Glibc

/// One thread's event loop: listens, frames, lends requests to its client and writes the replies.
///
/// Created, run and freed in its own thread, and not Sendable: the compiler rejects handing it to
/// another. Other threads use its `LoopHandle`.
@safe package final class EventLoop {
    /// Position in the group; the loop of every ticket made here.
    package let index: Int
    package let handle: LoopHandle

    let limits: HTTPLimits
    let base: EventBase
    let replyHeaders = ReplyHeaders()
    /// Holds good bytes for a moment while the bad ones behind them are cut off.
    let scratch: OpaquePointer
    private let thread = pthread_self()

    /// nil only before `run` and after it.
    var client: (any LoopClient)?
    var listeners: [Listener] = []
    var accepting = AcceptPause()
    /// Adopted connections by descriptor.
    var connections: [Connection?] = []
    /// Accepted and not yet adopted; each holds a reference to its bufferevent.
    var fresh: [Connection] = []
    /// Those whose request arrived in this turn.
    var turnRequests: [Connection] = []
    /// Those to look at when the turn ends because of a violation.
    var suspects: [Connection] = []
    /// Those with something due; swept once per `sweepNanoseconds`.
    var watched: [Connection] = []
    /// Unanswered requests whose client has gone since the last turn.
    var departed: [Ticket] = []
    /// Requests libevent has detached from their closed connection: ours to free.
    var detached: [OpaquePointer] = unsafe []
    /// Number of the last ticket; wraps.
    var lastNumber: UInt32 = 0

    package internal(set) var statistics = LoopStatistics()
    var isStopping = false

    /// Set at the turn's first callback; 0 between turns.
    private var turnStart: UInt64 = 0
    private var monotonic: UInt64 = 0
    private var wall: UInt64 = 0
    private var isTimeCached = false
    private var wakeEvent: OpaquePointer?
    private var deadline: UInt64?
    /// Empty between turns.
    private var mail = LoopMailbox.Contents()
    private var statisticsPublished: UInt64 = 0
    private(set) var timers: Timers?
    /// nil before `start` and after `close`.
    private(set) var calls: CallPool?

    /// The timers of a loop; made in `start`, because their actions point back to it.
    struct Timers {
        let deadline: LoopTimer
        let sweep: LoopTimer
        let accept: LoopTimer
        let publish: LoopTimer
    }

    /// At most this long after a change, `LoopHandle.statistics` shows it.
    private static let publishNanoseconds: UInt64 = 100_000_000
    /// libevent 2.1.12 measures timeouts on CLOCK_MONOTONIC_COARSE (evutil_time.c), which is behind
    /// by up to one tick of the kernel: a timer may fire that much too early.
    private static let coarseNanoseconds: UInt64 = 5_000_000

    init(index: Int, limits: HTTPLimits, handle: LoopHandle) throws(LoopError) {
        self.index = index
        self.limits = limits
        self.handle = handle
        base = try EventBase(
            idleSeconds: limits.idleSecondsMax, writeSeconds: limits.writeSecondsMax)
        guard let scratch = unsafe evbuffer_new() else { throw .outOfMemory }
        unsafe self.scratch = scratch
    }

    /// Makes the timers and the wake-up. Separate from `init`, since these call back into `self`.
    func start() throws(LoopError) {
        timers = Timers(
            deadline: try LoopTimer(base) { [unowned self] in deadlineFired() },
            sweep: try LoopTimer(base) { [unowned self] in sweep() },
            accept: try LoopTimer(base) { [unowned self] in resumeAccepting(.descriptors) },
            publish: try LoopTimer(base) { [unowned self] in beginTurn() })
        calls = try CallPool(self)
        // Unretained is sound: `close` frees the event before the loop goes.
        let context = unsafe Unmanaged.passUnretained(self).toOpaque()
        let flags = Int16(EV_READ | EV_PERSIST)
        guard
            let event = unsafe event_new(
                base.pointer, handle.mailbox.wakeDescriptor, flags, loopWoken, context),
            unsafe event_add(event, nil) == 0
        else { throw .outOfMemory }
        unsafe wakeEvent = event
    }

    // MARK: Time

    /// The monotonic clock, read once per turn.
    package var monotonicNanoseconds: UInt64 {
        readClocks()
        return monotonic
    }

    /// Nanoseconds since 1970, read once per turn.
    package var wallNanoseconds: UInt64 {
        readClocks()
        return wall
    }

    private func readClocks() {
        if isTimeCached { return }
        monotonic = nanoseconds(of: CLOCK_MONOTONIC)
        wall = nanoseconds(of: CLOCK_REALTIME)
        isTimeCached = true
    }

    /// There will be a turn at that time, on the monotonic clock, if not before; nil cancels.
    package func setDeadline(monotonicNanoseconds: UInt64?) {
        preconditionOnLoop()
        if monotonicNanoseconds == deadline { return }
        deadline = monotonicNanoseconds
        armDeadline()
    }

    private func armDeadline() {
        guard let deadline else {
            timers?.deadline.disarm()
            return
        }
        let now = monotonicNanoseconds
        timers?.deadline.arm(afterNanoseconds: deadline > now ? deadline - now : 0)
    }

    /// Arms again when the timer was early; see `coarseNanoseconds`.
    private func deadlineFired() {
        beginTurn()
        guard let deadline else { return }
        if deadline > monotonicNanoseconds {
            armDeadline()
        } else {
            self.deadline = nil
        }
    }

    // MARK: The turn

    /// Runs until `LoopHandle.stop`, then frees everything. Blocks the thread.
    func run(_ client: any LoopClient) {
        preconditionOnLoop()
        self.client = client
        while !isStopping { turn() }
        shutDown()
        self.client = nil
    }

    /// Waits for something to happen and carries the turn to its end.
    func turn() {
        isTimeCached = false
        let status = unsafe event_base_loop(base.pointer, EVLOOP_ONCE)
        precondition(status == 0, "event_base_loop failed")
        beginTurn()
        adoptFresh()
        readMailbox()
        tellCallOutcomes()
        tellDeparted()
        client?.turnEnded(self)
        parkTurnRequests()
        settleSuspects()
        freeDetached()
        resumeBelowConnectionsMax()
        // Of what the loop itself has refused, the client hears in a turn of its own.
        if !departed.isEmpty || calls?.hasOutcomes == true { handle.wake() }
        endTurn()
    }

    /// Every callback of libevent begins with this: the first one of a turn notes the time.
    @inline(__always)
    func beginTurn() {
        if turnStart == 0 { turnStart = monotonicNanoseconds }
    }

    private func endTurn() {
        let now = nanoseconds(of: CLOCK_MONOTONIC)
        statistics.turns &+= 1
        statistics.turnNanosecondsMax = max(statistics.turnNanosecondsMax, now &- turnStart)
        turnStart = 0
        if now &- statisticsPublished >= Self.publishNanoseconds {
            publishStatistics(now)
        } else if statistics.turns == publishedTurns &+ 1 {
            // The first turn since: should no other follow, the timer will show it.
            timers?.publish.arm(
                afterNanoseconds: Self.publishNanoseconds + Self.coarseNanoseconds)
        }
    }

    private var publishedTurns = 0

    func publishStatistics(_ now: UInt64) {
        statisticsPublished = now
        publishedTurns = statistics.turns
        handle.publish(statistics)
        statistics.turnNanosecondsMax = 0
    }

    private func readMailbox() {
        handle.mailbox.drain(into: &mail)
        if mail.isEmpty { return }
        if mail.pausesAccepting { pauseAccepting(.requested) }
        if !mail.openings.isEmpty {
            let areOpen = openListeners()
            for tell in mail.openings { tell(areOpen) }
        }
        if mail.stops { isStopping = true }
        for addressed in mail.replies {
            if holds(addressed.ticket) { client?.replies(addressed) }
            reply(addressed.ticket, addressed.head, addressed.body)
        }
        for name in mail.names { calls?.resolved(name) }
        for message in mail.messages { client?.receivedMessage(message) }
        mail.empty()
    }

    private func tellDeparted() {
        // Nothing the client can do adds to the list: a reply closes answered requests only.
        for ticket in departed { client?.clientLeft(ticket) }
        departed.removeAll(keepingCapacity: true)
    }

    private func freeDetached() {
        while let request = unsafe detached.popLast() { unsafe evhttp_request_free(request) }
    }

    fileprivate func woken() {
        handle.mailbox.acknowledgeWake()
        beginTurn()
    }

    @inline(__always)
    func preconditionOnLoop() {
        precondition(
            pthread_equal(thread, pthread_self()) != 0, "this belongs to the loop's own thread")
    }

    /// Frees what `init` and `start` made, behind the listeners and their connections.
    func close() {
        freeDetached()
        timers?.deadline.close()
        timers?.sweep.close()
        timers?.accept.close()
        timers?.publish.close()
        timers = nil
        calls = nil
        if let event = unsafe wakeEvent { unsafe event_free(event) }
        unsafe wakeEvent = nil
        unsafe evbuffer_free(scratch)
        base.close()
    }
}

private func loopWoken(_: Int32, _: Int16, _ context: UnsafeMutableRawPointer?) {
    guard let context = unsafe context else { preconditionFailure("a wake-up without its loop") }
    unsafe Unmanaged<EventLoop>.fromOpaque(context).takeUnretainedValue().woken()
}
