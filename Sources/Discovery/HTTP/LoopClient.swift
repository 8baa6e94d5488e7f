/// What a loop serves. Created in the loop's thread by the factory of `LoopGroup.start`; every call
/// comes from that thread.
package protocol LoopClient: AnyObject {
    /// A whole request has arrived. Decode what is needed: the request ends with the call. It may
    /// be answered with `EventLoop.reply` at once, in `turnEnded`, or at any later time by its
    /// ticket.
    func received(_ request: borrowing Request)

    /// The client of an unanswered request hung up, or the loop had to answer it itself. The ticket
    /// is already dead; replying to it does nothing.
    func clientLeft(_ ticket: Ticket)

    /// A reply posted by another thread is about to be written to a request of this loop.
    func replies(_ reply: borrowing AddressedReply)

    /// The reply to a call. Decode what is needed: the reply ends with this call.
    func answered(_ reply: borrowing CallReply)

    /// There will be no reply to the call of that id.
    func callFailed(_ id: UInt64, _ failure: CallFailure)

    /// A host that was called before has closed a connection that was kept open to it: it may have
    /// ended, or have found the connection idle for too long.
    func hostHungUp(_ host: String, port: UInt16)

    /// A message posted with `LoopHandle.post(message:)`.
    func receivedMessage(_ message: any Sendable)

    /// Once per turn, behind all other calls: run the batch, reply, set the deadline.
    func turnEnded(_ loop: EventLoop)
}

/// A reply for whichever loop holds the ticket.
package struct AddressedReply: Sendable {
    package var ticket: Ticket
    package var head: ReplyHead
    package var body: SharedBody

    package init(ticket: Ticket, head: ReplyHead, body: SharedBody) {
        self.ticket = ticket
        self.head = head
        self.body = body
    }
}
