import Synchronization

@testable import DiscoveryClient

/// Nodes that answer as they are told, and write down what they are asked.
final class ScriptedTransport: Transport {
    struct Asked: Sendable {
        let node: String
        let request: RegistryRequest
        let time = ContinuousClock.now

        /// Values of a field, in order.
        func values(_ name: String) -> [String] {
            request.fields.filter { $0.name == name }.map(\.value)
        }
    }

    enum Reply: Sendable {
        case body(String)
        case late(String, Duration)
        /// Once something has happened.
        case after(String, @Sendable () async throws -> Void)
        /// As if the network were not there.
        case failure
        /// Of HTTP itself.
        case status(UInt)
        /// Held until somebody gives the request up.
        case silence
    }

    struct Broken: Error {}

    private struct State {
        var asked: [Asked] = []
        var answer: @Sendable (Asked) -> Reply
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let state: Mutex<State>

    init(_ answer: @escaping @Sendable (Asked) -> Reply) {
        state = Mutex(State(answer: answer))
    }

    var asked: [Asked] { state.withLock { $0.asked } }

    func count(_ route: String) -> Int { asked.count { $0.request.route == route } }

    func answer(_ answer: @escaping @Sendable (Asked) -> Reply) {
        state.withLock { $0.answer = answer }
    }

    /// Returns once the requests so far are as wanted.
    func wait(until isEnough: @Sendable ([Asked]) -> Bool) async {
        while true {
            let isDone = state.withLock { isEnough($0.asked) }
            if isDone { return }
            await withCheckedContinuation { continuation in
                let isLate = state.withLock { state in
                    if isEnough(state.asked) { return true }
                    state.waiting.append(continuation)
                    return false
                }
                if isLate { continuation.resume() }
            }
        }
    }

    func send(
        _ request: RegistryRequest, to node: String, within time: Duration
    ) async throws -> [UInt8] {
        let asked = Asked(node: node, request: request)
        let (reply, waiting) = state.withLock { state in
            state.asked.append(asked)
            defer { state.waiting = [] }
            return (state.answer(asked), state.waiting)
        }
        for continuation in waiting { continuation.resume() }
        switch reply {
        case .body(let text): return Array(text.utf8)
        case .late(let text, let time):
            try await Task.sleep(for: time)
            return Array(text.utf8)
        case .after(let text, let wait):
            try await wait()
            return Array(text.utf8)
        case .status(let status): throw BadStatus(status: status)
        case .failure: throw Broken()
        case .silence:
            try await Task.sleep(for: time)
            throw Broken()
        }
    }
}

func instanceJSON(
    _ app: String, _ host: String, zone: String = "sh001", address: String = "http://10.0.0.1:80",
    metadata: String = "{}"
) -> String {
    #"{"region":"sh","zone":"\#(zone)","env":"dev","appid":"\#(app)","hostname":"\#(host)","#
        + #""addrs":["\#(address)"],"version":"1","metadata":\#(metadata),"status":1,"#
        + #""reg_timestamp":1,"up_timestamp":1,"renew_timestamp":1,"dirty_timestamp":1,"#
        + #""latest_timestamp":1}"#
}

/// The answer of polls with news of some apps: hosts in sh001.
func newsJSON(_ apps: [(app: String, latest: Int, hosts: [String])]) -> String {
    let members = apps.map { app, latest, hosts in
        let list = hosts.map { instanceJSON(app, $0) }.joined(separator: ",")
        return #""\#(app)":{"instances":{"sh001":[\#(list)]},"latest_timestamp":\#(latest)}"#
    }
    return #"{"code":0,"data":{\#(members.joined(separator: ","))},"error":{"-404":null},"#
        + #""message":"0"}"#
}

extension Snapshot {
    var hosts: [String] { instances.map(\.hostname) }
}
