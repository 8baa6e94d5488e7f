internal import Synchronization

/// How other threads reach a loop. Any thread may call; no call waits for the loop.
package final class LoopHandle: Sendable {
    /// Position of the loop in its group; that of the tickets it takes.
    package let index: Int
    let mailbox = LoopMailbox()
    private let published = Mutex(LoopStatistics())

    init(index: Int) { self.index = index }

    /// Hands over replies for tickets of this loop; they are written in its next turn.
    package func post(_ replies: [AddressedReply]) {
        if replies.isEmpty { return }
        mailbox.post { $0.replies.append(contentsOf: replies) }
    }

    /// Hands over a message; the loop's client receives it in the next turn, behind those posted
    /// before by the same thread.
    ///
    /// Without a bound, like replies: who posts is a thread of this process whose own work is
    /// bounded, and it could do nothing with a refusal. What is posted after the loop's last turn
    /// is lost.
    package func post(message: any Sendable) { mailbox.post { $0.messages.append(message) } }

    /// Makes the loop take a turn soon.
    package func wake() { mailbox.post { $0.wakes = true } }

    /// Makes the listeners listen that were configured as `opensLater`. Has no effect on those that
    /// do already. A listener that cannot stays closed, says why to `LibeventLog` and is counted;
    /// calling again tries again. `tell` is called on the loop's thread, with whether all of them
    /// listen; never if the loop ends before.
    package func openListeners(_ tell: @escaping @Sendable (Bool) -> Void = { _ in }) {
        mailbox.post { $0.openings.append(tell) }
    }

    /// Takes no further connections from now on, for good. Those pending in the kernel's backlog
    /// stay there until `stop`.
    package func pauseAccepting() { mailbox.post { $0.pausesAccepting = true } }

    /// Ends the loop: unanswered requests get 503, replies leave, everything is freed.
    package func stop() { mailbox.post { $0.stops = true } }

    /// As of at most about 100 ms ago. Reading resets `turnNanosecondsMax`.
    package func statistics() -> LoopStatistics {
        published.withLock { published in
            defer { published.turnNanosecondsMax = 0 }
            return published
        }
    }

    /// Loop thread only.
    func publish(_ statistics: LoopStatistics) {
        published.withLock { published in
            let longest = max(published.turnNanosecondsMax, statistics.turnNanosecondsMax)
            published = statistics
            published.turnNanosecondsMax = longest
        }
    }
}
