/// What a node knows of its cluster: the others, the ways to them, and what is under way.
///
/// Part of `Node`, whose extensions in the files beside this one are the only ones to change it.
struct Cluster {
    /// What a call was for.
    enum Purpose {
        case link(peer: UInt32, link: UInt32)
        case session(peer: UInt32)
        case forward(peer: UInt32, forward: UInt64)

        var peer: UInt32 {
            switch self {
            case .link(let peer, _), .session(let peer), .forward(let peer, _): peer
            }
        }
    }

    /// A write whose answer waits until the zone's healthy nodes have it.
    struct Awaited {
        let request: RequestID
        /// Acknowledgements that are missing.
        var missing: Int
    }

    struct AwaitedDeadline {
        let number: UInt64
        let due: Int64
    }

    /// A `set` of instances that only others hold, asked of all of them.
    struct Forward {
        let request: RequestID
        var missing: Int
        /// What to answer if nobody holds them.
        let refusal: String
    }

    let id: NodeID
    let settings: ClusterSettings
    var random: SplitMix64
    var peers = Peers()
    var links: [Link] = []
    /// Only looked up, never walked.
    var calls: [UInt64: Purpose] = [:]
    var awaited: [UInt64: Awaited] = [:]
    /// In the order of their deadlines: all wait equally long.
    var awaitedDeadlines = Queue<AwaitedDeadline>()
    var forwards: [UInt64: Forward] = [:]
    var joining: Joining?
    /// `infra.discovery` has changed: the members are to be read anew.
    var isMembershipStale = false
    /// Health, kinds or members have changed: links and contacts are to be chosen anew.
    var areLinksStale = false
    /// Pages and differences told in this step.
    var largeAnswers = 0
    /// When a comparison with a reference node is to go on, monotonic; `Int64.min`: at once.
    var comparisonDue: Int64?
    private var lastCall: UInt64 = 0
    private var lastAwaited: UInt64 = 0
    private var lastLink: UInt32 = 0

    init(id: NodeID, settings: ClusterSettings, seed: UInt64, now: Int64) {
        self.id = id
        self.settings = settings
        random = SplitMix64(seed: seed)
        for node in settings.seeds {
            peers.add(
                node.address, zone: node.zone, isSeed: true, at: now, countMax: settings.nodesMax)
        }
    }

    mutating func nextCall(_ purpose: Purpose) -> UInt64 {
        lastCall += 1
        calls[lastCall] = purpose
        return lastCall
    }

    mutating func nextAwaited() -> UInt64 {
        lastAwaited += 1
        return lastAwaited
    }

    mutating func makeLink(to destination: Link.Destination, contact: UInt32?) -> Link {
        lastLink += 1
        return Link(
            number: lastLink, destination: destination, contact: contact,
            doubtedMax: settings.batchCountMax)
    }

    func linkIndex(of number: UInt32) -> Int? { links.firstIndex { $0.number == number } }

    /// The peer a link writes to.
    func peerIndex(of link: Int) -> Int? { links[link].contact.flatMap { peers.index(of: $0) } }

    /// The peer a link writes to, if it is healthy.
    func healthyContact(of link: Int) -> Int? {
        guard let index = peerIndex(of: link), peers[index].health == .healthy else { return nil }
        return index
    }

    /// The link that a peer is the contact of.
    func linkIndex(to peer: UInt32) -> Int? { links.firstIndex { $0.contact == peer } }

    /// Whether everything that was written has reached every healthy node.
    var isFlushed: Bool {
        links.indices.allSatisfy { link in
            healthyContact(of: link) == nil
                || links[link].isToldAll
        }
    }
}

/// The start: every seed is heard once, or has had its time, before the node says that it is there.
struct Joining {
    let deadline: Int64
    /// Numbers of the peers that have neither told all they hold nor failed.
    var waiting: [UInt32]
    /// Who is asked for everything; the others are compared with afterwards.
    var source: UInt32?
    /// Those of this node's own kind that answered while another one was the source.
    var queued: [UInt32] = []
    var hasSource = false
    /// The timestamps that sources have told; taken over when the content is there.
    var stamps: [AppStamp] = []
    /// Slots of the applications that were told the timestamp they have, under what they hold.
    var confirmed: Set<UInt32> = []
    /// Zones of which one node has told what it holds, or is doing so; the others of the zone wait
    /// in case it fails.
    var zones: [Zone] = []

    struct Zone {
        let name: String
        var source: UInt32
        var queued: [UInt32] = []
        /// The source has told everything: nobody else need.
        var isTold = false
    }
}
