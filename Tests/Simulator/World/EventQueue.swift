import DiscoveryCore

/// What is going to happen, by time; what was put in first goes first among equals.
struct EventQueue {
    private struct Entry {
        let time: Int64
        let order: UInt64
        let event: Event

        func precedes(_ other: Entry) -> Bool {
            time == other.time ? order < other.order : time < other.time
        }
    }

    private var heap: [Entry] = []
    private var order: UInt64 = 0

    mutating func push(_ event: Event, at time: Int64) {
        order += 1
        heap.append(Entry(time: time, order: order, event: event))
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard heap[child].precedes(heap[parent]) else { break }
            heap.swapAt(child, parent)
            child = parent
        }
    }

    mutating func pop() -> (time: Int64, event: Event)? {
        guard let first = heap.first, let last = heap.popLast() else { return nil }
        if !heap.isEmpty {
            heap[0] = last
            sink()
        }
        return (first.time, first.event)
    }

    private mutating func sink() {
        var parent = 0
        while true {
            var least = 2 * parent + 1
            guard least < heap.count else { return }
            if least + 1 < heap.count, heap[least + 1].precedes(heap[least]) { least += 1 }
            guard heap[least].precedes(heap[parent]) else { return }
            heap.swapAt(least, parent)
            parent = least
        }
    }
}

/// Something that happens at one moment of the world's time.
enum Event {
    case ticked(host: Int)
    case arrived(host: Int, Message)
    case replied(host: Int, incarnation: Int, call: UInt64, PeerReply)
    case timedOut(host: Int, incarnation: Int, call: UInt64)
    case listened(host: Int, incarnation: Int)
    case goTicked(host: Int, incarnation: Int)
    case provider(Int, serial: Int)
    case providerAnswered(Int, serial: Int, ClientAnswer)
    case watcher(Int, serial: Int)
    case watcherAnswered(Int, serial: Int, ClientAnswer)
    case fault(Fault)
    case healed
    case mustHaveConverged
    case ended
}
