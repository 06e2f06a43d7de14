use arrow_array::RecordBatch;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::basic::{Compression, Encoding, Type};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaDataReader};
use parquet::file::reader::{FileReader, SerializedFileReader};

use super::*;
use crate::decode::columns::SpanColumns;
use crate::store::tests::fixtures::{NOON, Span, spans};
use crate::world::files::Disk;

/// The file's own account of itself: what other engines rely on.
#[tokio::test]
async fn a_file_is_what_it_promises() {
    let folder = tempfile::tempdir().unwrap();
    let segments = Segments::open(folder.path(), Arc::new(Disk), Keyring::default()).unwrap();
    let rows = Arc::new(spans(&[Span::default(), Span { n: 2, trace: 9, ..Span::default() }]).spans);
    let rows = Rows::Spans(vec![rows.clone(), rows]);
    let segment = segments.write(rows, NOON).await.unwrap().unwrap();
    assert_eq!((segment.rows, segment.tmin, segment.tmax), (4, NOON - 10_000_000, NOON));
    assert_eq!(segment.integrations, [("production".to_owned(), "stripe".to_owned())]);
    assert_eq!(segment.day, "2025-02-20");
    assert!(segment.path.starts_with("l0/spans/2025-02-20/"), "{}", segment.path);

    let path = folder.path().join("segments").join(&segment.path);
    assert_eq!(std::fs::metadata(&path).unwrap().len() as i64, segment.bytes);
    let file = std::fs::File::open(&path).unwrap();
    let metadata = ParquetMetaDataReader::new()
        .with_page_index_policy(PageIndexPolicy::Required)
        .parse_and_finish(&file)
        .unwrap();
    let columns = metadata.row_group(0).columns();
    let of = |name: &str| columns.iter().find(|column| column.column_path().string() == name).unwrap();
    assert!(columns.iter().all(|column| matches!(column.compression(), Compression::ZSTD(_))));
    assert_eq!(of("trace_id").column_type(), Type::FIXED_LEN_BYTE_ARRAY);
    assert_eq!(of("trace_id").column_descr().type_length(), 16);
    assert_eq!(of("span_id").column_descr().type_length(), 8);
    assert_eq!(of("end_unix_nano").column_type(), Type::INT64);
    assert!(of("end_unix_nano").column_descr().logical_type_ref().is_none(), "a plain INT64");
    assert!(of("integration").encodings().any(|encoding| encoding == Encoding::RLE_DICTIONARY));
    assert_eq!(of("attributes.key_value.key").column_type(), Type::BYTE_ARRAY);
    assert!(of("trace_id").bloom_filter_offset().is_some() && of("span_id").bloom_filter_offset().is_none());

    let options = parquet::file::properties::ReaderProperties::builder().set_read_bloom_filter(true).build();
    let read =
        parquet::file::serialized_reader::ReadOptionsBuilder::new().with_reader_properties(options).build();
    let reader = SerializedFileReader::new_with_options(std::fs::File::open(&path).unwrap(), read).unwrap();
    let group = reader.get_row_group(0).unwrap();
    let filter = group.get_column_bloom_filter(0).unwrap();
    assert!(filter.check(&[9u8; 16][..]) && !filter.check(&[33u8; 16][..]));
}

#[tokio::test]
async fn no_rows_make_no_file() {
    let folder = tempfile::tempdir().unwrap();
    let segments = Segments::open(folder.path(), Arc::new(Disk), Keyring::default()).unwrap();
    assert_eq!(segments.write(Rows::Logs(Vec::new()), NOON).await.unwrap(), None);
    assert!(!folder.path().join("segments/l0").exists());
}

/// Any rows, written by our encoder and read by the `parquet` crate, are the rows.
#[tokio::test]
async fn what_is_written_is_read_by_others() {
    let folder = tempfile::tempdir().unwrap();
    let segments = Segments::open(folder.path(), Arc::new(Disk), Keyring::default()).unwrap();
    let mut dice = 7u64;
    let mut roll = move |below: u64| {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (dice >> 33) % below
    };
    for (requests, rows, distinct) in
        [(1, 1, 1), (3, 7, 3), (40, 500, 20), (2, 9_000, 100_000), (30, 4_000, 900)]
    {
        let all: Vec<_> = (0..requests).map(|_| Arc::new(many(rows, distinct, &mut roll))).collect();
        let segment = segments.write(Rows::Spans(all.clone()), NOON).await.unwrap().unwrap();
        assert_eq!(segment.rows, (requests * rows) as i64);
        let path = folder.path().join("segments").join(&segment.path);
        let reader = ParquetRecordBatchReaderBuilder::try_new(std::fs::File::open(&path).unwrap()).unwrap();
        assert_eq!(reader.schema().fields(), columns::SPANS.fields());
        let read: Vec<_> = reader.with_batch_size(rows).build().unwrap().map(Result::unwrap).collect();
        assert_eq!(read.iter().map(|batch| batch.num_rows()).sum::<usize>(), requests * rows);
        let every: Vec<usize> = (0..rows).collect();
        let wanted: Vec<_> = all.iter().map(|of| columns::spans(of, &every).unwrap()).collect();
        let schema = columns::SPANS.clone();
        let joined =
            |batches: &[RecordBatch]| arrow_select::concat::concat_batches(&schema, batches).unwrap();
        assert_eq!(joined(&read), joined(&wanted));
    }
}

fn many(rows: usize, distinct: u64, roll: &mut impl FnMut(u64) -> u64) -> SpanColumns {
    let mut columns = SpanColumns::default();
    for _ in 0..3 {
        let pair = (columns.texts.add("service.name"), columns.texts.add(&format!("s{}", roll(5))));
        columns.resources.push(std::iter::repeat_n(pair, roll(3) as usize));
    }
    for row in 0..rows as i64 {
        let (id, low) = (roll(u64::MAX >> 33), roll(255));
        columns.trace_id.push([low as u8; 16]);
        columns.span_id.push(id.to_le_bytes());
        columns.parent_span_id.push(if low % 3 == 0 { [0; 8] } else { id.to_be_bytes() });
        columns.start.push(NOON - id as i64);
        columns.end.push(NOON + row);
        columns.received.push(NOON);
        columns.kind.push(low as u8 % 6);
        columns.status.push(low as u8 % 3);
        columns.class.push(low as u8);
        let mut text = |what: &str, of: u64| columns.texts.add(&format!("{what}{}", roll(of)));
        let (one, other) = (text("ü", distinct), text("GET /", 4));
        columns.status_message.push(0);
        columns.name.push(other);
        columns.environment.push(text("e", 1));
        columns.integration.push(text("i", 2));
        columns.peer.push(other);
        columns.endpoint.push(one);
        columns.scope.push(text("s", 1));
        let entries = low as usize % 4;
        columns.attributes.push(std::iter::repeat_n((other, one), entries));
        columns.resource.push(roll(3) as u32);
        columns.events.push(one);
        columns.links.push(0);
    }
    columns
}
