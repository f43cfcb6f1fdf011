module a { data D { f {String Int } g: [Int x
