// A typical implementation in Go: `server PORT STS_URL`. All requests share one STS client, which keeps its
// connections; each call has its own credentials.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"log"
	"net/http"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws/middleware"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"
)

const maxBody = 64 * 1024

type question struct {
	AccessKey    string `json:"stsAccessKey"`
	SecretKey    string `json:"stsSecretKey"`
	SessionToken string `json:"stsSessionToken"`
}

type identity struct {
	UserID           *string `json:"UserId"`
	Account, Arn     *string
	ResponseMetadata metadata
}

type metadata struct {
	RequestID      string `json:"RequestId"`
	HTTPStatusCode int
	HTTPHeaders    map[string]string
	RetryAttempts  int
}

type answer struct {
	Identity identity `json:"aws_res"`
}

type failure struct {
	Exception string `json:"exception"`
	Code      string `json:"error_code"`
	Message   string `json:"error_message"`
}

func metadataOf(output *sts.GetCallerIdentityOutput) metadata {
	told := metadata{HTTPHeaders: map[string]string{}}
	told.RequestID, _ = middleware.GetRequestIDMetadata(output.ResultMetadata)
	if attempts, ok := retry.GetAttemptResults(output.ResultMetadata); ok {
		told.RetryAttempts = len(attempts.Results) - 1
	}
	if response, ok := middleware.GetRawResponse(output.ResultMetadata).(*smithyhttp.Response); ok {
		told.HTTPStatusCode = response.StatusCode
		for name := range response.Header {
			told.HTTPHeaders[strings.ToLower(name)] = response.Header.Get(name)
		}
	}
	return told
}

func ask(ctx context.Context, client *sts.Client, asked question) (int, any) {
	provider := credentials.NewStaticCredentialsProvider(asked.AccessKey, asked.SecretKey, asked.SessionToken)
	output, err := client.GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{}, func(options *sts.Options) {
		options.Credentials = provider
	})
	var refusal smithy.APIError
	if errors.As(err, &refusal) {
		return http.StatusBadRequest, failure{"ClientError", refusal.ErrorCode(), refusal.ErrorMessage()}
	}
	if err != nil {
		return http.StatusBadGateway, failure{"EndpointConnectionError", "EndpointConnectionError", err.Error()}
	}
	return http.StatusOK, answer{identity{output.UserId, output.Account, output.Arn, metadataOf(output)}}
}

func main() {
	port, url := os.Args[1], os.Args[2]
	// By default it keeps only 10 idle connections to a host, and would open new ones for most of 64 simultaneous calls. 8,192 are
	// more than any run uses.
	pool := awshttp.NewBuildableClient().WithTransportOptions(func(transport *http.Transport) {
		transport.MaxIdleConns, transport.MaxIdleConnsPerHost = 8192, 8192
	})
	client := sts.New(sts.Options{
		Region: "us-east-1", EndpointResolver: sts.EndpointResolverFromURL(url), HTTPClient: pool,
	})
	http.HandleFunc("/verify", func(writer http.ResponseWriter, request *http.Request) {
		var asked question
		if err := json.NewDecoder(http.MaxBytesReader(writer, request.Body, maxBody)).Decode(&asked); err != nil {
			http.Error(writer, "a JSON object is wanted", http.StatusBadRequest)
			return
		}
		status, body := ask(request.Context(), client, asked)
		writer.Header().Set("Content-Type", "application/json")
		writer.Header().Set("Access-Control-Allow-Origin", "*")
		writer.WriteHeader(status)
		if err := json.NewEncoder(writer).Encode(body); err != nil {
			log.Print(err)
		}
	})
	log.Fatal(http.ListenAndServe("127.0.0.1:"+port, nil))
}
