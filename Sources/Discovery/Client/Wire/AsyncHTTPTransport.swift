internal import AsyncHTTPClient
internal import NIOCore
internal import NIOHTTP1

/// The time was up.
struct NoAnswer: Error, CustomStringConvertible {
    var description: String { "no answer in time" }
}

/// Over AsyncHTTPClient: a pool of connections to each node.
struct AsyncHTTPTransport: Transport {
    let client: HTTPClient
    let answerBytesMax: Int

    /// Never shut down, like the threads it runs on.
    static let shared: HTTPClient = {
        var configuration = HTTPClient.Configuration()
        configuration.timeout.connect = .seconds(3)
        // A node that refuses connections is gone: the next one is to be asked.
        configuration.connectionPool.retryConnectionEstablishment = false
        // Each poll holds one, and writes are not to wait for it.
        configuration.connectionPool.concurrentHTTP1ConnectionsPerHostSoftLimit = 256
        return HTTPClient(
            eventLoopGroup: HTTPClient.defaultEventLoopGroup, configuration: configuration)
    }()

    func send(
        _ request: RegistryRequest, to node: String, within time: Duration
    ) async throws -> [UInt8] {
        let address = "http://\(node)/discovery/\(request.route)"
        var outgoing: HTTPClientRequest
        switch request.method {
        case .get: outgoing = HTTPClientRequest(url: "\(address)?\(request.form)")
        case .post:
            outgoing = HTTPClientRequest(url: address)
            outgoing.method = .POST
            outgoing.headers.add(
                name: "Content-Type", value: "application/x-www-form-urlencoded")
            outgoing.body = .bytes(ByteBuffer(string: request.form))
        }
        if let hold = request.holdMilliseconds {
            outgoing.headers.add(name: "x1-bmspy-timeout", value: "\(hold)")
        }
        return try await carryOut(outgoing, within: time)
    }

    /// The client's own deadline ends with the head of the answer; this one is for all of it.
    private func carryOut(
        _ request: HTTPClientRequest, within time: Duration
    ) async throws -> [UInt8] {
        try await withThrowingTaskGroup(of: [UInt8].self) { group in
            group.addTask {
                let answer = try await client.execute(
                    request, deadline: .now() + TimeAmount(time))
                guard answer.status == .ok else { throw BadStatus(status: answer.status.code) }
                let body = try await answer.body.collect(upTo: answerBytesMax)
                return Array(body.readableBytesView)
            }
            group.addTask {
                try await Task.sleep(for: time)
                throw NoAnswer()
            }
            defer { group.cancelAll() }
            guard let first = try await group.next() else { throw NoAnswer() }
            return first
        }
    }
}
