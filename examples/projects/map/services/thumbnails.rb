# Thumbnails, in Ruby: the gem grpc, nothing else. Nothing here knows of workflows.
require "google/protobuf"
require "google/protobuf/descriptor_pb"
require "grpc"

$stdout.sync = true

# The contract is read as it is, without generated code.
described = IO.popen(%w[buf build . --path proto/gallery --as-file-descriptor-set -o -], "rb", &:read)
POOL = Google::Protobuf::DescriptorPool.new
Google::Protobuf::FileDescriptorSet.decode(described).file.each { |file| POOL.add_serialized_file(file.to_proto) }
ShrinkRequest = POOL.lookup("gallery.v1.ShrinkRequest").msgclass
ShrinkResponse = POOL.lookup("gallery.v1.ShrinkResponse").msgclass

class Thumbnails
  include GRPC::GenericService

  self.marshal_class_method = :encode
  self.unmarshal_class_method = :decode
  self.service_name = "gallery.v1.ThumbnailService"

  rpc :Shrink, ShrinkRequest, ShrinkResponse

  def shrink(request, _call)
    sleep 0.3
    raise GRPC::InvalidArgument, "#{request.picture} is no picture" unless request.picture.match?(/\.(png|jpe?g)\z/)

    puts "shrank #{request.picture}"
    ShrinkResponse.new(thumbnail: request.picture.sub(/(\.\w+)\z/, '-small\1'))
  end
end

address = "127.0.0.1:#{ENV.fetch("PORT")}"
server = GRPC::RpcServer.new
server.add_http2_port(address, :this_port_is_insecure)
server.handle(Thumbnails)
puts "thumbnails listens on #{address}"
server.run_till_terminated_or_interrupted(%w[TERM INT])
