use parquet::basic::{Compression, Encoding, Type};
use parquet::file::metadata::{PageIndexPolicy, ParquetMetaDataReader};
use parquet::file::reader::{FileReader, SerializedFileReader};

use super::*;
use crate::store::tests::fixtures::{NOON, Span, spans};
use crate::world::files::Disk;

/// The file's own account of itself: what other engines rely on.
#[tokio::test]
async fn a_file_is_what_it_promises() {
    let folder = tempfile::tempdir().unwrap();
    let segments = Segments::open(folder.path(), Arc::new(Disk)).unwrap();
    let batch =
        columns::spans(spans(&[Span::default(), Span { n: 2, trace: 9, ..Span::default() }]).spans).unwrap();
    let segment = segments.write(Signal::Spans, &[batch.clone(), batch], NOON).await.unwrap().unwrap();
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
    let segments = Segments::open(folder.path(), Arc::new(Disk)).unwrap();
    assert_eq!(segments.write(Signal::Logs, &[], NOON).await.unwrap(), None);
    assert!(!folder.path().join("segments/l0").exists());
}

#[test]
fn columns_of_different_lengths_and_wrapped_offsets_are_errors() {
    let mut short = spans(&[Span::default()]).spans;
    short.status.clear();
    assert!(columns::spans(short).is_err());
    let mut wrapped = spans(&[Span::default(), Span::default()]).spans;
    wrapped.name.offsets[1] = i32::MIN;
    assert!(columns::spans(wrapped).is_err());
}
