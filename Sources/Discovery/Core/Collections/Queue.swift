/// First in, first out. Amortised O(1); gives memory back as it shrinks.
struct Queue<Element> {
    private var elements: [Element] = []
    private var head = 0

    var count: Int { elements.count - head }
    var isEmpty: Bool { head == elements.count }
    /// In order.
    var all: ArraySlice<Element> { elements[head...] }
    var first: Element? { isEmpty ? nil : elements[head] }

    mutating func append(_ element: Element) { elements.append(element) }

    mutating func popFirst() -> Element? {
        guard !isEmpty else { return nil }
        defer {
            head += 1
            // Half of it is spent: moving the rest costs no more than the pops already done.
            if head >= 32, head * 2 >= elements.count {
                elements.removeSubrange(..<head)
                head = 0
            }
        }
        return elements[head]
    }
}
