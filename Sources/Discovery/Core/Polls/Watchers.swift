/// The polls that wait: who waits for which applications, until when, and whom to wake next.
///
/// A waiter belongs to one request, never to a host name, and is taken out exactly once: to be
/// answered, or because its client left. It hangs on one subscription per application it asked for;
/// an application's subscriptions form a list in the order of arrival.
struct Watchers {
    static let none = UInt32.max

    struct Waiter {
        var request: RequestID
        /// Nil: all zones.
        var zone: [UInt8]?
        /// For `infra.discovery` asked for in another env than the node's.
        var env: [UInt8]?
        var isSingle: Bool
        var wantsAll: Bool
        /// When it is answered in any case, monotonic.
        let deadline: Int64
        /// The head of its own list of subscriptions, in the order of the request.
        var first: UInt32
    }

    struct Subscription {
        let waiter: UInt32
        let app: UInt32
        /// The timestamp the client gave.
        let latest: Int64
        /// The application's timestamp, as this waiter sees it, when it began to wait.
        let seen: Int64
        /// Whether it would have seen instances then: only such a waiter is told of an empty list.
        let hadInstances: Bool
        /// The next one of the same waiter.
        var nextOfWaiter = Watchers.none
        var next = Watchers.none
        var previous = Watchers.none
    }

    /// The subscriptions of one application, and how far a wake-up in progress has come.
    private struct List {
        var first = Watchers.none
        var last = Watchers.none
        var lastWake = Int64.min / 2
        /// Queued for a wake-up, or in the middle of one.
        var isWaking = false
        /// Where the wake-up in progress goes on; `none` before it starts.
        var cursor = Watchers.none
        var hasStarted = false
        /// Changed again since the wake-up started.
        var changedAgain = false
    }

    private struct Wake {
        let app: UInt32
        let due: Int64
    }

    private let wakeInterval: Int64
    private var waiters: [Waiter] = []
    private var vacantWaiters: [UInt32] = []
    private var subscriptions: [Subscription] = []
    private var vacantSubscriptions: [UInt32] = []
    private var lists: [List] = []
    private var wheel: TimerWheel
    /// Only looked up, never walked.
    private var byRequest: [RequestID: UInt32] = [:]
    /// Applications to wake at once, oldest change first, and those that were woken a moment ago.
    private var ready = Queue<UInt32>()
    private var delayed = Queue<Wake>()

    init(wakeInterval: Int64, now: Int64) {
        self.wakeInterval = wakeInterval
        // 10 ms and 40.96 s: the reference's clients give up after 40 s.
        wheel = TimerWheel(tick: 10 * Duration.millisecond, buckets: 4096, now: now)
    }

    var count: Int { byRequest.count }

    /// Applications waited for, each as often as polls wait for it.
    var subscriptionCount: Int { subscriptions.count - vacantSubscriptions.count }

    /// When something is due: a deadline, or a delayed wake-up. `Int64.min` if work is left over.
    var nextDue: Int64? {
        if !ready.isEmpty { return .min }
        let deadline = wheel.nextDue
        guard let wake = delayed.first?.due else { return deadline }
        return min(wake, deadline ?? wake)
    }

    /// Whether anybody waits for the application, or is about to be woken.
    func isWatched(_ app: UInt32) -> Bool {
        guard Int(app) < lists.count else { return false }
        return lists[Int(app)].first != Watchers.none || lists[Int(app)].isWaking
    }

    /// Whether a wake-up of the application is due or in progress.
    func isWaking(_ app: UInt32) -> Bool {
        Int(app) < lists.count && lists[Int(app)].isWaking
    }

    // MARK: Waiting

    /// `targets` in the order of the request; each application at most once.
    mutating func park(
        _ waiter: Waiter, targets: [(app: UInt32, latest: Int64, seen: Int64, had: Bool)],
        at now: Int64
    ) {
        let index: UInt32
        if let vacant = vacantWaiters.popLast() {
            index = vacant
            waiters[Int(index)] = waiter
        } else {
            index = UInt32(waiters.count)
            waiters.append(waiter)
        }
        var last = Watchers.none
        for target in targets {
            let subscription = subscribe(
                Subscription(
                    waiter: index, app: target.app, latest: target.latest, seen: target.seen,
                    hadInstances: target.had))
            if last == Watchers.none {
                waiters[Int(index)].first = subscription
            } else {
                subscriptions[Int(last)].nextOfWaiter = subscription
            }
            last = subscription
        }
        byRequest[waiter.request] = index
        // As far as others that are still to be told let it, so that the deadline is within the
        // horizon if it can be.
        wheel.catchUp(to: now)
        wheel.schedule(index, at: waiter.deadline)
    }

    func waiter(of request: RequestID) -> UInt32? { byRequest[request] }

    func waiter(at index: UInt32) -> Waiter { waiters[Int(index)] }

    /// Its subscriptions, in the order of the request.
    func subscriptions(of waiter: UInt32) -> [Subscription] {
        var result: [Subscription] = []
        var next = waiters[Int(waiter)].first
        while next != Watchers.none {
            result.append(subscriptions[Int(next)])
            next = subscriptions[Int(next)].nextOfWaiter
        }
        return result
    }

    /// Takes the waiter out, whatever for.
    mutating func remove(_ waiter: UInt32) {
        var next = waiters[Int(waiter)].first
        while next != Watchers.none {
            let subscription = next
            next = subscriptions[Int(subscription)].nextOfWaiter
            unsubscribe(subscription)
        }
        byRequest[waiters[Int(waiter)].request] = nil
        wheel.cancel(waiter)
        waiters[Int(waiter)].zone = nil
        waiters[Int(waiter)].env = nil
        vacantWaiters.append(waiter)
    }

    mutating func popExpired(at now: Int64) -> UInt32? {
        while let waiter = wheel.popDue(at: now) {
            let deadline = waiters[Int(waiter)].deadline
            if deadline <= now { return waiter }
            // It came when the wheel was behind, and its deadline was beyond the horizon.
            wheel.schedule(waiter, at: deadline)
        }
        return nil
    }

    /// Any waiter, while there is one. Ordered by deadline, so it is the same in every run.
    mutating func popAny() -> UInt32? { wheel.popDue(at: Int64.max / 2) }

    // MARK: Waking

    /// The application's content changed. The first change of a quiet application wakes at once;
    /// the next ones wait for `wakeInterval` since, so that a burst is one wake-up.
    mutating func changed(_ app: UInt32, at now: Int64) {
        guard Int(app) < lists.count, lists[Int(app)].first != Watchers.none else { return }
        if lists[Int(app)].isWaking {
            lists[Int(app)].changedAgain = lists[Int(app)].hasStarted
            return
        }
        enqueue(app, at: now)
    }

    /// The application whose waiters are to be told now, if any.
    mutating func dueApplication(at now: Int64) -> UInt32? {
        while let wake = delayed.first, wake.due <= now {
            _ = delayed.popFirst()
            ready.append(wake.app)
        }
        return ready.first
    }

    /// The next subscription of the application whose wake-up is in progress, nil at its end.
    mutating func nextToWake(_ app: UInt32, at now: Int64) -> Subscription? {
        let index = Int(app)
        if !lists[index].hasStarted {
            lists[index].hasStarted = true
            lists[index].lastWake = now
            lists[index].cursor = lists[index].first
        }
        let cursor = lists[index].cursor
        if cursor == Watchers.none { return nil }
        lists[index].cursor = subscriptions[Int(cursor)].next
        return subscriptions[Int(cursor)]
    }

    /// Ends the wake-up that `dueApplication` named.
    mutating func finishWake(_ app: UInt32, at now: Int64) {
        precondition(ready.first == app, "another wake-up is in progress")
        _ = ready.popFirst()
        let index = Int(app)
        let isChanged = lists[index].changedAgain
        lists[index].isWaking = false
        lists[index].hasStarted = false
        lists[index].changedAgain = false
        if isChanged, lists[index].first != Watchers.none { enqueue(app, at: now) }
    }

    private mutating func enqueue(_ app: UInt32, at now: Int64) {
        lists[Int(app)].isWaking = true
        let due = lists[Int(app)].lastWake.addingSaturated(wakeInterval)
        if due <= now {
            ready.append(app)
        } else {
            delayed.append(Wake(app: app, due: due))
        }
    }

    // MARK: Lists

    private mutating func subscribe(_ subscription: Subscription) -> UInt32 {
        let index: UInt32
        if let vacant = vacantSubscriptions.popLast() {
            index = vacant
            subscriptions[Int(index)] = subscription
        } else {
            index = UInt32(subscriptions.count)
            subscriptions.append(subscription)
        }
        let app = Int(subscription.app)
        while lists.count <= app { lists.append(List()) }
        subscriptions[Int(index)].previous = lists[app].last
        if lists[app].last == Watchers.none {
            lists[app].first = index
        } else {
            subscriptions[Int(lists[app].last)].next = index
        }
        lists[app].last = index
        return index
    }

    private mutating func unsubscribe(_ index: UInt32) {
        let subscription = subscriptions[Int(index)]
        let app = Int(subscription.app)
        if lists[app].cursor == index { lists[app].cursor = subscription.next }
        if subscription.previous == Watchers.none {
            lists[app].first = subscription.next
        } else {
            subscriptions[Int(subscription.previous)].next = subscription.next
        }
        if subscription.next == Watchers.none {
            lists[app].last = subscription.previous
        } else {
            subscriptions[Int(subscription.next)].previous = subscription.previous
        }
        vacantSubscriptions.append(index)
    }

    /// Walks every list. For tests and debug builds.
    func checkInvariants() {
        var linked = 0
        for (app, list) in lists.enumerated() {
            var (index, previous) = (list.first, Watchers.none)
            while index != Watchers.none {
                let subscription = subscriptions[Int(index)]
                precondition(Int(subscription.app) == app, "a subscription is in the wrong list")
                precondition(subscription.previous == previous, "a list is torn")
                previous = index
                index = subscription.next
                linked += 1
            }
            precondition(list.last == previous, "a list's end is wrong")
        }
        precondition(
            linked == subscriptions.count - vacantSubscriptions.count, "a leaked subscription")
        precondition(count == waiters.count - vacantWaiters.count, "a leaked waiter")
        precondition(wheel.count == count, "each waiter has one deadline")
    }
}
