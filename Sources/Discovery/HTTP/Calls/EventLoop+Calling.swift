extension EventLoop {
    /// Makes a request to another host. Its reply or failure comes exactly once, in a later call of
    /// the client and before that turn's `turnEnded`; never from inside of this one. Loop thread
    /// only; allowed from every call of the client.
    ///
    /// A call sent on a connection that the other side has closed meanwhile is sent once more, so
    /// it may arrive twice. When the loop stops, what is under way fails as `stopped`; a call made
    /// in answer to that is dropped without a word.
    package func call(_ call: OutgoingCall) {
        preconditionOnLoop()
        calls?.start(call)
    }

    /// Tells the client what has come of its calls.
    func tellCallOutcomes() {
        for outcome in calls?.takeOutcomes() ?? [] {
            switch outcome {
            case .answered(let id, let reader): client?.answered(CallReply(id: id, reader))
            case .failed(let id, let failure): client?.callFailed(id, failure)
            case .hungUp(let key): client?.hostHungUp(key.host, port: key.port)
            }
        }
    }

    /// Fails what is under way.
    func endCalls() {
        calls?.end()
        tellCallOutcomes()
    }
}
