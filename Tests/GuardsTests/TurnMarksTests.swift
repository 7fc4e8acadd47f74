import Guards
import Testing

@Suite struct TurnMarksTests {
    @Test func `the oldest turn under way is what the next process goes by`() {
        let memory = TableMemory.heap(bytes: TurnMarks.tableBytes)
        let marks = TurnMarks(memory: memory)
        #expect(marks.oldestUnderWay == nil && marks.owner == 0)
        marks.owner = 77
        marks.begin(worker: 0, now: 300)
        marks.begin(worker: 255, now: 200)
        marks.begin(worker: 1, now: 100)
        marks.end(worker: 1)
        let next = TurnMarks(memory: memory)
        #expect(next.oldestUnderWay == 200 && next.owner == 77)
        next.endAll()
        #expect(next.oldestUnderWay == nil && next.owner == 77)
    }
}
