import DiscoveryCore

/// What is going to happen, by time; what was put in first goes first among equals.
struct EventQueue {
    /// Without the event, so that the heap moves numbers only.
    private struct Entry {
        let time: Int64
        let order: UInt64
        let slot: Int

        func precedes(_ other: Entry) -> Bool {
            time == other.time ? order < other.order : time < other.time
        }
    }

    private var heap: [Entry] = []
    private var events: [Event?] = []
    private var vacant: [Int] = []
    private var order: UInt64 = 0

    mutating func push(_ event: Event, at time: Int64) {
        order += 1
        let slot = vacant.popLast() ?? events.count
        if slot == events.count { events.append(event) } else { events[slot] = event }
        let entry = Entry(time: time, order: order, slot: slot)
        heap.append(entry)
        var child = heap.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            guard entry.precedes(heap[parent]) else { break }
            heap[child] = heap[parent]
            child = parent
        }
        heap[child] = entry
    }

    mutating func pop() -> (time: Int64, event: Event)? {
        guard let first = heap.first, let last = heap.popLast() else { return nil }
        if !heap.isEmpty { sink(last) }
        guard let event = events[first.slot].take() else {
            preconditionFailure("an entry without its event")
        }
        vacant.append(first.slot)
        return (first.time, event)
    }

    /// From the top, to where the entry belongs.
    private mutating func sink(_ entry: Entry) {
        var parent = 0
        while true {
            var least = 2 * parent + 1
            guard least < heap.count else { break }
            if least + 1 < heap.count, heap[least + 1].precedes(heap[least]) { least += 1 }
            guard heap[least].precedes(entry) else { break }
            heap[parent] = heap[least]
            parent = least
        }
        heap[parent] = entry
    }
}

/// Something that happens at one moment of the world's time.
indirect enum Event {
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
    case fileChanged(host: Int, app: Int)
    case healed
    case mustHaveConverged
    case ended
}
