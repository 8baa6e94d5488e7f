internal import AsyncHTTPClient
internal import NIOCore
internal import NIOHTTP1

/// Over AsyncHTTPClient: a pool of connections to each node.
struct AsyncHTTPTransport: Transport {
    let client: HTTPClient
    let answerBytesMax: Int

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
        let answer = try await client.execute(
            outgoing, deadline: .now() + TimeAmount(time))
        guard answer.status == .ok else { throw BadStatus(status: answer.status.code) }
        let body = try await answer.body.collect(upTo: answerBytesMax)
        return Array(body.readableBytesView)
    }
}
