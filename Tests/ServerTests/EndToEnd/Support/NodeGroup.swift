import Foundation

/// Nodes of one cluster on this machine, each a process of its own.
final class NodeGroup {
    struct Seat {
        let name: String
        let zone: String
        let port: ReservedPort
        /// What everybody calls: the node's own address, or that of a proxy before it.
        let address: String
    }

    let seats: [Seat]
    private let settings: (Seat) throws -> String
    private let loops: Int
    private var running: [Int: NodeProcess] = [:]

    /// `settings` makes the configuration file of a seat; all of them start at the same time.
    init(
        _ seats: [Seat], loops: Int = 1, starts: Bool = true,
        settings: @escaping (Seat) throws -> String
    ) throws {
        self.seats = seats
        self.settings = settings
        self.loops = loops
        if !starts { return }
        for index in seats.indices { try start(index, waits: false) }
        for index in seats.indices { try self[index].waitUntilListening() }
    }

    /// One node per zone named, all of them seeds of each other. `cluster` are the lines of that
    /// table, `more` is further tables.
    convenience init(
        _ zones: [String], cluster: String = allowed, more: String = "", loops: Int = 1,
        proxies: [TCPProxy?] = [], ports: [ReservedPort] = [], starts: Bool = true
    ) throws {
        let seats = try zones.indices.map { index in
            let port = try index < ports.count ? ports[index] : ReservedPort()
            let proxy = index < proxies.count ? proxies[index] : nil
            return Seat(
                name: "node\(index + 1)", zone: zones[index], port: port,
                address: proxy.map(\.address) ?? port.address)
        }
        try self.init(seats, loops: loops, starts: starts) { seat in
            Self.settings(of: seat, among: seats, cluster, more)
        }
    }

    static let allowed = "allow = [\"127.0.0.1\"]"

    static func settings(
        of seat: Seat, among seats: [Seat], _ cluster: String = allowed, _ more: String = ""
    ) -> String {
        func addresses(_ zone: String) -> String {
            "["
                + seats.filter { $0.zone == zone }.map { "\"\($0.address)\"" }
                .joined(separator: ", ") + "]"
        }
        let others = Set(seats.map(\.zone)).subtracting([seat.zone]).sorted()
        return """
            nodes = \(addresses(seat.zone))
            [env]
            region = "sh"
            zone = "\(seat.zone)"
            host = "\(seat.name)"
            DeployEnv = "\(NodeProcess.env)"
            [zones]
            \(others.map { "\($0) = \(addresses($0))" }.joined(separator: "\n"))
            [cluster]
            advertise = "\(seat.address)"
            \(cluster)
            \(more)
            """ + "\n"
    }

    subscript(index: Int) -> NodeProcess {
        get throws {
            guard let node = running[index] else { throw Failure("node \(index) does not run") }
            return node
        }
    }

    var nodes: [NodeProcess] { running.sorted { $0.key < $1.key }.map(\.value) }

    @discardableResult
    func start(_ index: Int, waits: Bool = true) throws -> NodeProcess {
        let seat = seats[index]
        let node = try NodeProcess(
            settings(seat), flags: ["--listen", seat.port.address], identity: [], loops: loops,
            waits: waits)
        running[index] = node
        return node
    }

    /// With SIGKILL: it can neither say nor save anything.
    func kill(_ index: Int) throws {
        _ = try self[index].stop(SIGKILL)
        running[index] = nil
    }

    /// Until every node knows and reaches every other.
    func waitUntilMet(within seconds: Double = 15) throws {
        let names = Set(seats.map(\.name))
        let isMet = try eventually(within: seconds) {
            try nodes.allSatisfy { node in
                try node.metric("discovery_peer_up") == seats.count - 1
                    && Set(node.hostnames("infra.discovery")) == names
            }
        }
        if !isMet {
            let logs = nodes.map(\.child.errors.text).joined(separator: "\n")
            throw Failure("they have not met within \(seconds) s:\n\(logs)")
        }
    }
}

/// What tests of clusters ask of a node.
extension NodeProcess {
    static func fetch(_ appid: String) -> String {
        "/discovery/fetch?env=dev&appid=\(appid)&status=3"
    }

    /// Of all zones, sorted by zone and name; none of an app that does not exist.
    func hostnames(_ appid: String = "demo.app") throws -> [String] {
        let reply = try get(Self.fetch(appid))
        return try reply.code == -404 ? [] : reply.json["data"].hostnames
    }

    func latest(_ appid: String = "demo.app") throws -> Int {
        try get(Self.fetch(appid)).json["data"]["latest_timestamp"].int
    }

    /// What it answers of an app, but for when each instance renewed, which takes its time to go
    /// round.
    func state(_ appid: String = "demo.app") throws -> String {
        try get(Self.fetch(appid)).text.replacing(/"renew_timestamp":[0-9]+/, with: "")
    }

    func cancel(_ host: String, _ changes: [(String, String)] = []) throws -> HTTPReply {
        try post("/discovery/cancel", Form.key(host, changes))
    }

    func renew(_ host: String, _ changes: [(String, String)] = []) throws -> HTTPReply {
        try post("/discovery/renew", Form.key(host, changes))
    }

    /// A poll on a connection of its own that hangs until the app is newer than this.
    func hold(_ appid: String = "demo.app", latest: Int = 0) throws -> HTTPClient {
        let client = try connect()
        try client.send(
            HTTPRequest.get(
                "/discovery/polls?env=dev&appid=\(appid)&latest_timestamp=\(latest)"))
        return client
    }

    /// What `/nodes` says of the nodes of its zone, by address.
    func statuses() throws -> [String: Int] {
        let entries = try get("/discovery/nodes").json["data"].list
        return try Dictionary(
            entries.map { (try $0["addr"].string, try $0["status"].int) }, uniquingKeysWith: max)
    }

    func peerMetric(_ name: String, _ peer: NodeGroup.Seat, _ kind: String? = nil) throws -> Int {
        var labels = ["peer": peer.address]
        labels["kind"] = kind
        return try metric("discovery_peer_\(name)", labels)
    }
}
